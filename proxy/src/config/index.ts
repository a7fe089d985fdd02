export { bytesFor, connectionsIn, type MemoryUse } from './memory.js';
export { holdsEverybody } from './cidr.js';
export { jsonWithoutUserinfo, withoutUserinfo } from './problem.js';
export { parseConfig, parseConfigText, type Parsed } from './parse.js';
export type { Intact } from './relations.js';
export type {
  Algorithm,
  Auth,
  Config,
  ConfigInput,
  DpopAuth,
  ExchangeConfig,
  IntrospectionConfig,
  Issuer,
  McpRoute,
  McpRule,
  MixedAuth,
  MtlsAuth,
  Preset,
  RateLimitConfig,
  ReplayConfig,
  Route,
  SecretsRoute,
  SelfSignedAuth,
  EgressProxyConfig,
  TracingConfig,
} from './schema.js';
export { NAME_PARAMETERS } from './mcp-methods.js';
export { weakenings } from './weakenings.js';
