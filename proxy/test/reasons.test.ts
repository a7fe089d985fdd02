/** Every Reason, produced by a request on a socket: the type makes a reason without a case a compile error. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { REASONS, type Reason } from '../src/pipeline/reason.js';
import {
  startFixture,
  freePort,
  ORIGIN,
  type Answer,
  type Ask,
  type GatewayFixture,
} from './support/gateway.js';
import { startKube, type Kube } from './support/kube.js';
import {
  accessToken,
  ec,
  encode,
  jwkOf,
  jws,
  proof,
  rsa,
  seconds,
  selfSignedToken,
  thumbprint,
  type ProofParts,
} from './support/mint.js';

const MAX_SOCKETS = 4;
let fixture: GatewayFixture;
let kube: Kube;
/** Answers introspection with `active` of its choice; the real authorization server is in test/e2e/peers. */
let introspection: http.Server;
let introspected: (token: string) => unknown;
const dir = mkdtempSync(join(tmpdir(), 'agw-reasons-'));
const client = ec();
const stranger = ec();
const jkt = thumbprint(client);
const HTU = `${ORIGIN}/mcp`;

beforeAll(async () => {
  kube = await startKube(dir);
  introspection = http.createServer((message, response) => {
    let form = '';
    message
      .on('data', (chunk: Buffer) => {
        form += chunk.toString();
      })
      .on('end', () => {
        const said = introspected(
          (new URLSearchParams(form).get('token') ?? new URLSearchParams(form).get('subject_token'))!,
        );
        const status = new Map<unknown, number>([
          [undefined, 500],
          ['refused', 400],
        ]);
        response.writeHead(status.get(said) ?? 200).end(JSON.stringify(said));
      });
  });
  await new Promise<void>((resolve) => introspection.listen(0, '127.0.0.1', resolve));
  writeFileSync(join(dir, 'client-secret'), 'the-secret');
  writeFileSync(join(dir, 'nonce-keys'), `${'n'.repeat(32)}\n`);
  const deadPort = await freePort();
  fixture = await startFixture({
    change: (config, { backendPort }) => {
      const dpop = { profile: 'dpop' as const, issuers: ['as'], audiences: [HTU] };
      config.upstream = { firstByteTimeoutSeconds: 1, maxSockets: MAX_SOCKETS, maxQueued: 1 };
      config.limits = {
        maxBodyBytes: 1000,
        bodyIdleTimeoutSeconds: 1,
        refusalsPerAddress: { maxTokens: 100_000, tokensPerSecond: 1 },
      };
      config.issuers.push({
        name: 'gone',
        issuer: 'https://gone.example',
        jwks: { url: `http://127.0.0.1:${deadPort}/jwks` },
      });
      config.trustedPeers = ['127.0.0.0/8'];
      config.originFrom = 'forwarded';
      config.issuers.push({
        name: 'opaque',
        issuer: 'https://opaque.example',
        introspection: {
          url: `http://127.0.0.1:${(introspection.address() as AddressInfo).port}`,
          clientId: 'gw',
          clientSecret: { file: join(dir, 'client-secret') },
          cacheSeconds: 0,
        },
      });
      const backend = { url: `http://127.0.0.1:${backendPort}` };
      const kubeBackend = {
        url: `https://127.0.0.1:${kube.port}`,
        caFile: kube.caFile,
        tokenFile: kube.tokenFile,
        namespace: 'aiops',
        secretNames: ['db', 'absent'],
      };
      config.routes.push(
        { kind: 'secrets', name: 'secrets', pathPrefix: '/secrets', auth: dpop, backend: kubeBackend },
        {
          kind: 'mcp',
          name: 'opaque',
          pathPrefix: '/opaque',
          auth: { ...dpop, issuers: ['opaque'] },
          backend,
        },
        {
          kind: 'mcp',
          name: 'nonce',
          pathPrefix: '/nonce',
          auth: { ...dpop, nonce: { keys: { file: join(dir, 'nonce-keys') } } },
          backend,
        },
        {
          kind: 'mcp',
          name: 'scoped',
          pathPrefix: '/scoped',
          auth: { ...dpop, requiredScopes: ['mcp:write'] },
          backend,
        },
        { kind: 'mcp', name: 'mixed', pathPrefix: '/mixed', auth: { ...dpop, profile: 'mixed' }, backend },
        {
          kind: 'mcp',
          name: 'mtls',
          pathPrefix: '/mtls',
          auth: { profile: 'mtls', issuers: ['as'], audiences: [HTU], certificateFrom: 'header' },
          backend,
        },
        {
          kind: 'mcp',
          name: 'ruled',
          pathPrefix: '/ruled',
          auth: dpop,
          allow: [{ method: 'tools/call', names: ['echo'] }],
          backend,
        },
        {
          kind: 'mcp',
          name: 'several',
          pathPrefix: '/several',
          auth: dpop,
          backend: { ...backend, endpoints: [backend.url] },
        },
        {
          kind: 'mcp',
          name: 'exchange',
          pathPrefix: '/exchange',
          auth: dpop,
          backend: {
            ...backend,
            credential: {
              kind: 'exchange',
              url: `http://127.0.0.1:${(introspection.address() as AddressInfo).port}`,
              clientId: 'gw',
              clientSecret: { file: join(dir, 'client-secret') },
              audience: 'backend',
            },
          },
        },
        { kind: 'mcp', name: 'queue', pathPrefix: '/queue', auth: dpop, backend },
        {
          kind: 'mcp',
          name: 'dead',
          pathPrefix: '/dead',
          auth: dpop,
          backend: { url: `http://127.0.0.1:${deadPort}` },
        },
        {
          kind: 'mcp',
          name: 'behind',
          pathPrefix: '/behind',
          auth: dpop,
          backend: { url: `http://127.0.0.1:${backendPort}`, answerMark: 'x-backend-answered' },
        },
        {
          kind: 'mcp',
          name: 'limited',
          pathPrefix: '/limited',
          auth: dpop,
          rateLimit: { maxTokens: 1, tokensPerFill: 1, fillIntervalSeconds: 3600 },
          backend: { url: `http://127.0.0.1:${backendPort}` },
        },
        {
          kind: 'mcp',
          name: 'keyless',
          pathPrefix: '/keyless',
          auth: { ...dpop, issuers: ['gone'] },
          backend: { url: `http://127.0.0.1:${backendPort}` },
        },
        {
          kind: 'mcp',
          name: 'tokenless',
          pathPrefix: '/tokenless',
          auth: dpop,
          backend: {
            url: `http://127.0.0.1:${backendPort}`,
            credential: { kind: 'file', file: join(dir, 'no-such-file') },
          },
        },
      );
    },
  });
});
afterAll(async () => {
  await fixture.stop();
  await kube.stop();
  introspection.closeAllConnections();
  introspection.close();
  rmSync(dir, { recursive: true, force: true });
});

interface Shape {
  path?: string;
  method?: string;
  claims?: Record<string, unknown>;
  header?: Record<string, unknown>;
  proof?: ProofParts;
  pair?: typeof client;
  headers?: Record<string, string>;
  body?: string;
  htu?: string;
  htm?: string;
}

/** A dpop request that passes unless the shape says otherwise. */
function dpopAsk({
  path = '/mcp',
  method = 'POST',
  claims,
  header,
  proof: parts,
  pair = client,
  headers,
  body,
  htu,
  htm,
}: Shape = {}): Ask {
  const token = accessToken(fixture.as, { cnf: { jkt }, ...claims }, header);
  return {
    method,
    path,
    headers: {
      authorization: `DPoP ${token}`,
      dpop: proof(pair, htm ?? method, htu ?? ORIGIN + path, token, parts),
      ...headers,
    },
    ...(body === undefined ? {} : { body }),
  };
}
const selfAsk = (
  claims?: Record<string, unknown>,
  header?: Record<string, unknown>,
  pair = fixture.self,
): Ask => ({
  method: 'POST',
  path: '/self',
  headers: { authorization: `Bearer ${selfSignedToken(pair, 'POST', `${ORIGIN}/self`, claims, header)}` },
});
const twice = async (ask: Ask) => {
  expect((await fixture.ask(ask)).status).toBe(200);
  return fixture.ask(ask);
};
const rawAsk = async (text: string): Promise<Answer> => {
  const got = await fixture.raw(text, 400);
  return { status: Number(got.slice(9, 12)), headers: {}, text: got };
};
const withAnswer = async (answer: GatewayFixture['answer'], ask: Ask) => {
  const usual = fixture.answer;
  fixture.answer = answer;
  try {
    return await fixture.ask(ask);
  } finally {
    fixture.answer = usual;
  }
};

const opaqueAsk = (said: unknown): Promise<Answer> => {
  introspected = () => said;
  const token = `opaque-${Math.random()}`;
  return fixture.ask({
    method: 'POST',
    path: '/opaque',
    headers: { authorization: `DPoP ${token}`, dpop: proof(client, 'POST', `${ORIGIN}/opaque`, token) },
  });
};
const certificate = ':AAEC:';
const mtlsAsk = (thumbprintInToken: string, field?: string): Ask => ({
  method: 'POST',
  path: '/mtls',
  headers: {
    authorization: `Bearer ${accessToken(fixture.as, { cnf: { 'x5t#S256': thumbprintInToken } })}`,
    ...(field === undefined ? {} : { 'client-cert': field }),
  },
});
const rpc = (method: string, params?: unknown) => JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });

const cases: Record<Reason, () => Promise<Answer>> = {
  malformed_request: () => rawAsk('GET /mcp HTTP/1.0\r\n\r\n'),
  proxy_protocol: () => rawAsk('PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET /mcp HTTP/1.1\r\nHost: a\r\n\r\n'),
  not_tls: async () => {
    const secure = await startFixture({ http2: true });
    try {
      await secure.raw('GET /mcp HTTP/1.1\r\nHost: a\r\n\r\n', 200);
      const [line] = await secure.audit();
      expect(line!['client.address']).toBe('127.0.0.1');
      return { status: Number(line!['response.status']), headers: {}, text: String(line!.reason) };
    } finally {
      await secure.stop();
    }
  },
  bad_path: () => fixture.ask({ path: '/mcp/..%2fsecrets' }),
  upgrade_refused: () =>
    rawAsk('GET /mcp HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'),
  header_repeated: () => rawAsk('GET /mcp HTTP/1.1\r\nHost: a\r\nContent-Type: a\r\nContent-Type: b\r\n\r\n'),
  url_too_long: () => fixture.ask({ path: `/mcp/${'a'.repeat(8200)}` }),
  too_many_headers: () =>
    fixture.ask({
      path: '/mcp',
      headers: Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`x-${i}`, '1'])),
    }),
  body_too_large: () => fixture.ask(dpopAsk({ body: 'x'.repeat(1001) })),
  too_many_ahead: async () => {
    const got = await fixture.raw('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(60));
    const last = got.slice(got.lastIndexOf('HTTP/1.1 '));
    return { status: Number(last.slice(9, 12)), headers: {}, text: last };
  },
  expectation_failed: () => rawAsk('GET /mcp HTTP/1.1\r\nHost: a\r\nExpect: the-unexpected\r\n\r\n'),
  body_fragmented: async () => {
    const open = await startFixture({
      change: ({ routes }) => {
        routes[0]!.auth = { profile: 'dpop', issuers: ['as'], mode: 'optional' };
      },
    });
    try {
      const head = 'POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
      const got = await open.raw(head + '1\r\nx\r\n'.repeat(5000), 3000);
      expect((await open.audit()).map(({ reason }) => reason)).toEqual(['body_fragmented']);
      expect(open.seen).toEqual([]);
      return { status: Number(got.slice(9, 12)), headers: {}, text: got };
    } finally {
      await open.stop();
    }
  },
  headers_stalled: async () => {
    const hasty = await startFixture({
      change: (config) => {
        config.limits = { headersTimeoutSeconds: 1 };
      },
    });
    try {
      const got = await hasty.raw('GET /mcp HTTP/1.1\r\nHost: a\r\nX-Slow: ', 3000);
      expect((await hasty.audit()).map(({ reason }) => reason)).toEqual(['headers_stalled']);
      return { status: Number(got.slice(9, 12)), headers: {}, text: got };
    } finally {
      await hasty.stop();
    }
  },
  body_stalled: () => {
    const { headers } = dpopAsk();
    const lines = Object.entries(headers as Record<string, string>)
      .map(([k, v]) => `${k}: ${v}\r\n`)
      .join('');
    return fixture
      .raw(`POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n${lines}\r\nabc`, 2500)
      .then((got) => ({ status: Number(got.slice(9, 12)), headers: {}, text: got }));
  },
  host_refused: () =>
    fixture.ask(dpopAsk({ headers: { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'evil.example' } })),
  no_route: () => fixture.ask({ path: '/mcpx' }),
  method_not_allowed: () => fixture.ask({ path: '/mcp', method: 'PUT' }),
  origin_refused: () => fixture.ask(dpopAsk({ headers: { origin: 'https://evil.example' } })),
  secret_not_listed: () => fixture.ask(dpopAsk({ path: '/secrets/other', method: 'GET' })),
  secret_absent: () => fixture.ask(dpopAsk({ path: '/secrets/absent', method: 'GET' })),

  credentials_missing: () => fixture.ask({ method: 'POST', path: '/mcp' }),
  token_missing: () =>
    fixture.ask({ method: 'POST', path: '/mcp', headers: { authorization: 'Basic dXNlcjpwdw==' } }),
  credentials_ambiguous: () =>
    rawAsk('GET /mcp HTTP/1.1\r\nHost: a\r\nAuthorization: DPoP a\r\nAuthorization: Bearer b\r\n\r\n'),
  scheme_refused: () =>
    fixture.ask({
      method: 'POST',
      path: '/mcp',
      headers: { authorization: `Bearer ${accessToken(fixture.as, { cnf: { jkt } })}` },
    }),
  token_malformed: () =>
    fixture.ask({ method: 'POST', path: '/self', headers: { authorization: 'Bearer abc' } }),
  token_type_refused: () => fixture.ask(dpopAsk({ header: { typ: 'JWT' } })),
  token_algorithm_refused: () => fixture.ask(selfAsk({}, { alg: 'PS256' })),
  token_issuer_unknown: () => fixture.ask(dpopAsk({ claims: { iss: 'https://other.example' } })),
  token_key_unknown: () => fixture.ask(selfAsk({}, { kid: 'other' })),
  token_signature_bad: () => fixture.ask(selfAsk({}, {}, rsa())),
  token_claim_missing: () => fixture.ask(dpopAsk({ claims: { client_id: undefined } })),
  token_expired: () => fixture.ask(dpopAsk({ claims: { exp: seconds() - 61 } })),
  token_too_old: () => fixture.ask(selfAsk({ exp: seconds() + 301 + 5 })),
  token_not_yet_valid: () => fixture.ask(selfAsk({ nbf: seconds() + 30 })),
  token_audience_refused: () => fixture.ask(dpopAsk({ claims: { aud: 'https://gw.example/other' } })),
  token_htm_mismatch: () => fixture.ask(selfAsk({ htm: 'GET' })),
  token_htu_mismatch: () => fixture.ask(selfAsk({ htu: `${ORIGIN}/other` })),
  token_replayed: () => twice(selfAsk()),
  token_not_bound: () => fixture.ask(dpopAsk({ claims: { cnf: undefined } })),
  token_key_mismatch: () => fixture.ask(dpopAsk({ pair: stranger })),

  dpop_missing: () =>
    fixture.ask({
      method: 'POST',
      path: '/mcp',
      headers: { authorization: `DPoP ${accessToken(fixture.as, { cnf: { jkt } })}` },
    }),
  dpop_repeated: () => {
    const { headers } = dpopAsk();
    const { authorization, dpop } = headers as Record<string, string>;
    return rawAsk(
      `POST /mcp HTTP/1.1\r\nHost: a\r\nAuthorization: ${authorization}\r\nDPoP: ${dpop}\r\n` +
        `DPoP: ${dpop}\r\nContent-Length: 0\r\n\r\n`,
    );
  },
  dpop_malformed: () =>
    fixture.ask({
      ...dpopAsk(),
      headers: { authorization: `DPoP ${accessToken(fixture.as, { cnf: { jkt } })}`, dpop: 'a.b' },
    }),
  dpop_type_refused: () => fixture.ask(dpopAsk({ proof: { header: { typ: 'JWT' } } })),
  dpop_algorithm_refused: () => fixture.ask(dpopAsk({ proof: { header: { alg: 'none' } } })),
  dpop_key_refused: () => fixture.ask(dpopAsk({ proof: { header: { jwk: { ...jwkOf(client), d: '' } } } })),
  dpop_signature_bad: () =>
    fixture.ask(dpopAsk({ pair: stranger, proof: { header: { jwk: jwkOf(client) } } })),
  dpop_claim_missing: () => fixture.ask(dpopAsk({ proof: { claims: { jti: undefined } } })),
  dpop_htm_mismatch: () => fixture.ask(dpopAsk({ htm: 'post' })),
  dpop_htu_mismatch: () => fixture.ask(dpopAsk({ htu: 'https://other.example/mcp' })),
  dpop_expired: () => fixture.ask(dpopAsk({ proof: { claims: { iat: seconds() - 302 } } })),
  dpop_not_yet_valid: () => fixture.ask(dpopAsk({ proof: { claims: { iat: seconds() + 62 } } })),
  dpop_ath_mismatch: () => fixture.ask(dpopAsk({ proof: { claims: { ath: 'A'.repeat(43) } } })),
  dpop_replayed: () => twice(dpopAsk()),

  dpop_nonce_missing: () => fixture.ask(dpopAsk({ path: '/nonce' })),
  dpop_nonce_refused: () =>
    fixture.ask(dpopAsk({ path: '/nonce', proof: { claims: { nonce: 'A'.repeat(30) } } })),
  dpop_predates_store: () => fixture.ask(dpopAsk({ proof: { claims: { iat: seconds() - 200 } } })),
  token_predates_store: () => fixture.ask(selfAsk({ iat: seconds() - 200, exp: seconds() + 50 })),
  token_bound: () =>
    fixture.ask({
      method: 'POST',
      path: '/mixed',
      headers: { authorization: `Bearer ${accessToken(fixture.as, { cnf: { jkt } })}` },
    }),
  token_inactive: () => opaqueAsk({ active: false }),
  introspection_unavailable: () => opaqueAsk(undefined),
  certificate_missing: () => fixture.ask(mtlsAsk('x')),
  certificate_mismatch: () => fixture.ask(mtlsAsk('x', certificate)),
  scope_insufficient: () => fixture.ask(dpopAsk({ path: '/scoped', claims: { scope: 'mcp:read' } })),
  mcp_version_refused: () => fixture.ask(dpopAsk({ headers: { 'mcp-protocol-version': '2024-11-05' } })),
  mcp_header_missing: () => fixture.ask(dpopAsk({ headers: { 'mcp-protocol-version': '2026-07-28' } })),
  mcp_header_mismatch: () =>
    fixture.ask(
      dpopAsk({
        path: '/ruled',
        headers: { 'mcp-method': 'tools/call', 'mcp-name': 'echo' },
        body: rpc('tools/call', { name: 'rm' }),
      }),
    ),
  mcp_body_malformed: () =>
    fixture.ask(dpopAsk({ path: '/ruled', body: '{"method":"tools/call","method":"x"}' })),
  mcp_session_gone: () =>
    fixture.ask(dpopAsk({ path: '/several', headers: { 'mcp-session-id': 'of-nobody' } })),
  mcp_not_allowed: () => fixture.ask(dpopAsk({ path: '/ruled', body: rpc('tools/call', { name: 'rm' }) })),

  address_limited: async () => {
    const strict = await startFixture({
      change: (config) => {
        config.limits = { refusalsPerAddress: { maxTokens: 2, tokensPerSecond: 1 } };
      },
    });
    try {
      for (let i = 0; i < 2; i++)
        expect((await strict.ask({ path: '/mcp', headers: { authorization: 'DPoP x' } })).status).toBe(401);
      return await strict.ask({ path: '/mcp', headers: { authorization: 'DPoP x' } });
    } finally {
      await strict.stop();
    }
  },
  rate_limited: async () => {
    const [first, second] = [dpopAsk({ path: '/limited' }), dpopAsk({ path: '/limited' })];
    expect((await fixture.ask(first)).status).toBe(200);
    return fixture.ask(second);
  },
  overloaded: async () => {
    const narrow = await startFixture({
      change: (config) => {
        config.limits = { maxUnverified: 1 };
      },
    });
    try {
      const token = accessToken(narrow.as, { cnf: { jkt } });
      const lines = Array.from(
        { length: 50 },
        () =>
          `POST /mcp HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: DPoP ${token}\r\nDPoP: ` +
          `${proof(client, 'POST', HTU, token)}\r\n\r\n`,
      );
      const sockets = await Promise.all(
        lines.map(
          () =>
            new Promise<net.Socket>((resolve) => {
              const socket = net.connect(narrow.gateway.port, '127.0.0.1', () => resolve(socket));
            }),
        ),
      );
      // until all of them are accepted, one in a turn of the event loop
      await new Promise((resolve) => setTimeout(resolve, 200));
      // Written in one turn, and so read in one.
      const answers = await Promise.all(
        sockets.map(
          (socket, i) =>
            new Promise<string>((resolve) => {
              let got = '';
              socket
                .on('data', (chunk: Buffer) => {
                  got += chunk.toString();
                })
                .on('close', () => resolve(got))
                .write(lines[i]!);
            }),
        ),
      );
      expect(new Set(answers.map((got) => got.slice(9, 12)))).toEqual(new Set(['200', '503']));
      const refused = answers.find((got) => got.startsWith('HTTP/1.1 503'))!;
      return { status: 503, headers: {}, text: refused };
    } finally {
      await narrow.stop();
    }
  },
  replay_store_down: async () => {
    const port = await freePort();
    const lonely = await startFixture({
      change: (config) => {
        config.replay = { store: 'redis', url: `redis://127.0.0.1:${port}`, timeoutSeconds: 0.1 };
      },
    });
    try {
      const token = accessToken(lonely.as, { cnf: { jkt } });
      return await lonely.ask({
        method: 'POST',
        path: '/mcp',
        headers: { authorization: `DPoP ${token}`, dpop: proof(client, 'POST', HTU, token) },
      });
    } finally {
      await lonely.stop();
    }
  },
  replay_store_full: async () => {
    const small = await startFixture({
      change: (config) => {
        config.replay = { store: 'memory', maxEntries: 1000 };
        config.routes.forEach((r) => {
          delete r.rateLimit;
        });
      },
    });
    try {
      const token = accessToken(small.as, { cnf: { jkt } });
      for (let i = 0; i < 5000; i++) {
        const answer = await small.ask({
          method: 'POST',
          path: '/mcp',
          headers: { authorization: `DPoP ${token}`, dpop: proof(client, 'POST', HTU, token) },
        });
        if (answer.status !== 200) return answer;
      }
      throw new Error('never full');
    } finally {
      await small.stop();
    }
  },
  keys_unavailable: () => fixture.ask(dpopAsk({ path: '/keyless', claims: { iss: 'https://gone.example' } })),
  credential_unavailable: () => fixture.ask(dpopAsk({ path: '/tokenless' })),
  // A throw in the pipeline: no request is known to cause one, so a clock that fails stands in for the bug.
  internal_error: async () => {
    let armed = false;
    let calls = 0;
    const broken = await startFixture({
      clock: () => {
        if (armed && ++calls === 2) throw new Error('the clock broke');
        return Date.now() / 1000;
      },
    });
    try {
      armed = true;
      const answer = await broken.ask({ method: 'POST', path: '/mcp' });
      expect(broken.warnings.join()).toContain('the clock broke');
      expect(broken.seen).toEqual([]);
      return answer;
    } finally {
      await broken.stop();
    }
  },
  exchange_refused: () => {
    introspected = () => 'refused';
    return fixture.ask(dpopAsk({ path: '/exchange' }));
  },
  exchange_unavailable: () => {
    introspected = () => undefined;
    return fixture.ask(dpopAsk({ path: '/exchange' }));
  },
  upstream_busy: async () => {
    const held: (() => void)[] = [];
    const usual = fixture.answer;
    fixture.answer = (_, response) => {
      held.push(() => response.end('{}'));
    };
    const open = Array.from({ length: MAX_SOCKETS }, () => fixture.ask(dpopAsk({ path: '/queue' })));
    while (held.length < MAX_SOCKETS) await new Promise((resolve) => setTimeout(resolve, 5));
    const waiting = fixture.ask(dpopAsk({ path: '/queue' }));
    await new Promise((resolve) => setTimeout(resolve, 50));
    const refused = await fixture.ask(dpopAsk({ path: '/queue' }));
    fixture.answer = usual;
    for (const answer of held) answer();
    expect((await Promise.all([...open, waiting])).map(({ status }) => status)).toEqual(
      Array(MAX_SOCKETS + 1).fill(200),
    );
    return refused;
  },
  upstream_unreachable: () => fixture.ask(dpopAsk({ path: '/dead' })),
  upstream_failed: async () => {
    kube.status = 500;
    try {
      return await fixture.ask(dpopAsk({ path: '/secrets/db', method: 'GET' }));
    } finally {
      kube.status = undefined;
    }
  },
  upstream_refused: () =>
    withAnswer(
      (_, response) => response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="backend"' }).end('no'),
      dpopAsk(),
    ),
  upstream_not_asked: () =>
    withAnswer((_, response) => response.writeHead(404).end('route not found'), dpopAsk({ path: '/behind' })),
  upstream_timeout: () => withAnswer(() => undefined, dpopAsk()),
};

describe('every reason is given for its cause', () => {
  beforeEach(() => {
    fixture.seen.length = 0;
  });

  it.each(Object.keys(cases) as Reason[])(
    '%s',
    async (reason) => {
      const answer = await cases[reason]();
      const meaning = REASONS[reason];
      expect(answer.status).toBe(meaning.status);
      expect(answer.text).toContain('error' in meaning ? meaning.error : reason);
      expect(answer.text).not.toContain('evil.example');
      // Of what is wrong with credentials only this is over by itself.
      if (answer.status === 401)
        expect('retry-after' in answer.headers).toBe(reason.endsWith('_predates_store'));
      const elsewhere = [
        'body_fragmented',
        'headers_stalled',
        'not_tls',
        'address_limited',
        'overloaded',
        'replay_store_down',
        'replay_store_full',
        'internal_error',
      ];
      if (!elsewhere.includes(reason)) {
        const id = answer.headers['x-request-id'];
        const record = (await fixture.audit()).findLast((r) => id === undefined || r['request.id'] === id)!;
        expect(record.reason).toBe(reason);
      }
      // Refused before the backend: nothing went there but what the case sent on purpose first.
      const family: string = meaning.family;
      if (
        (family === 'auth' || family === 'request') &&
        !reason.endsWith('_replayed') &&
        reason !== 'secret_absent' &&
        reason !== 'body_stalled'
      )
        expect(fixture.seen).toEqual([]);
    },
    60_000,
  );

  it('also for a token whose parts are not JSON objects', async () => {
    for (const bad of [
      jws('[1]'.replace('[1]', '{"alg":"RS256","alg":"RS256"}'), {}, fixture.self.privateKey),
      `${encode({ alg: 'RS256' })}.${encode('x')}.AA`,
    ]) {
      const answer = await fixture.ask({
        method: 'POST',
        path: '/self',
        headers: { authorization: `Bearer ${bad}` },
      });
      expect([answer.status, (await fixture.audit()).at(-1)!.reason]).toEqual([401, 'token_malformed']);
    }
  });
});
