/**
 * What is fuzzed: readers of bytes that strangers send, and of files that people write. Each states what must
 * hold of every input.
 */
import { compactJws } from './compact-jws.js';
import { config } from './config.js';
import { jwks } from './jwks.js';
import { mcpBody } from './mcp-body.js';
import { sseRelay } from './sse-relay.js';
import { strictJson } from './strict-json.js';
import type { Target } from './target.js';
import { uri } from './uri.js';

export const TARGETS: readonly Target[] = [compactJws, strictJson, uri, mcpBody, sseRelay, config, jwks];
