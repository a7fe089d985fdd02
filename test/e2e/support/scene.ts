/**
 * What the load suites have in common: an issuer, a client with its key, a backend, and a config for a gateway
 * between them.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConfigInput } from '../../../proxy/src/config/index.js';
import { ORIGIN, type Ask } from '../../../proxy/test/support/gateway.js';
import {
  accessToken,
  ec,
  jwkOf,
  proof,
  rsa,
  seconds,
  thumbprint,
  type Pair,
} from '../../../proxy/test/support/mint.js';

const TOKEN_SECONDS = 3600;

export interface Scene {
  readonly dir: string;
  readonly as: Pair;
  readonly client: Pair;
  /** Requests that reached the backend. */
  readonly reached: () => number;
  /** Makes the backend slow, from the next request on. */
  readonly answerAfterMs: (ms: number) => void;
  /** The backend goes away; until then it answers. */
  readonly stopBackend: () => void;
  readonly config: ConfigInput;
  readonly jwksOf: (...keys: readonly (readonly [Pair, string])[]) => string;
  /** A POST with a proof of its own. @param signer of the access token @param path absent: /mcp */
  readonly ask: (signer?: readonly [Pair, string], path?: string) => Ask;
  stop(): void;
}

export async function openScene(change: Partial<ConfigInput> = {}): Promise<Scene> {
  const dir = mkdtempSync(join(tmpdir(), 'agw-load-'));
  const as = rsa();
  const client = ec();
  let reached = 0;
  let delayMs = 0;
  const backend = http.createServer((message, response) => {
    reached += 1;
    const answer = () => response.end('{"ok":true}');
    message.resume().on('end', () => (delayMs === 0 ? answer() : setTimeout(answer, delayMs)));
  });
  await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
  const jwksOf: Scene['jwksOf'] = (...keys) =>
    JSON.stringify({ keys: keys.map(([pair, kid]) => ({ ...jwkOf(pair), kid, alg: 'RS256', use: 'sig' })) });
  writeFileSync(join(dir, 'jwks.json'), jwksOf([as, 'as-1']));
  const tokens = new Map<string, string>();
  const stopBackend = () => {
    backend.closeAllConnections();
    backend.close();
  };
  return {
    dir,
    as,
    client,
    reached: () => reached,
    answerAfterMs: (ms) => {
      delayMs = ms;
    },
    stopBackend,
    jwksOf,
    config: {
      version: 1,
      publicOrigins: [ORIGIN],
      issuers: [{ name: 'as', issuer: 'https://as.example', jwks: { file: join(dir, 'jwks.json') } }],
      replay: { store: 'memory', epochMarginSeconds: 0 },
      routes: [
        {
          kind: 'mcp',
          name: 'mcp',
          pathPrefix: '/mcp',
          auth: { profile: 'dpop', issuers: ['as'] },
          backend: { url: `http://127.0.0.1:${(backend.address() as AddressInfo).port}` },
        },
      ],
      audit: { file: join(dir, 'audit.jsonl') },
      drainSeconds: 5,
      ...change,
    },
    ask([pair, kid] = [as, 'as-1'], path = '/mcp') {
      // One token for many requests, as clients do; a proof for each.
      let token = tokens.get(kid);
      if (token === undefined)
        tokens.set(
          kid,
          (token = accessToken(
            pair,
            { cnf: { jkt: thumbprint(client) }, exp: seconds() + TOKEN_SECONDS },
            { kid },
          )),
        );
      return {
        method: 'POST',
        path,
        headers: { authorization: `DPoP ${token}`, dpop: proof(client, 'POST', ORIGIN + path, token) },
      };
    },
    stop() {
      stopBackend();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
