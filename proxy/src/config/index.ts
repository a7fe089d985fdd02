export { parseConfig, parseConfigText, type Parsed } from './parse.js';
export type { Algorithm, Auth, Config, ConfigInput, DpopAuth, Issuer, McpRoute, RateLimitConfig, ReplayConfig, Route, SecretsRoute, SelfSignedAuth } from './schema.js';
