import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ConfigInput } from '../../src/config/index.js';
import { ORIGIN } from './gateway.js';
import { jwkOf, rsa } from './mint.js';

/**
 * The config of a gateway that a test starts as a process of its own: one route, whose backend is not there, and an
 * issuer whose key is in a file of `dir`, which this writes.
 */
export function oneRoute(dir: string, more: Partial<ConfigInput> = {}): ConfigInput {
  const jwks = join(dir, 'jwks.json');
  const key = { ...jwkOf(rsa()), kid: 'as-1', alg: 'RS256', use: 'sig' };
  writeFileSync(jwks, JSON.stringify({ keys: [key] }));
  return {
    version: 1,
    publicOrigins: [ORIGIN],
    issuers: [{ name: 'as', issuer: 'https://as.example', jwks: { file: jwks } }],
    replay: { store: 'memory' },
    routes: [
      {
        kind: 'mcp',
        name: 'mcp',
        pathPrefix: '/mcp',
        auth: { profile: 'dpop', issuers: ['as'] },
        backend: { url: 'http://127.0.0.1:9' },
      },
    ],
    audit: { file: join(dir, 'audit.jsonl') },
    drainSeconds: 1,
    ...more,
  };
}
