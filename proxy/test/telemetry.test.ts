/**
 * Every metric that is described moves, and every audit field is written: by name, so that a new one without a
 * test fails here.
 */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import http, { type IncomingMessage } from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, ORIGIN, startFixture, type GatewayFixture } from './support/gateway.js';
import { accessToken, ec, jwkOf, proof, selfSignedToken, sha256, thumbprint } from './support/mint.js';
import { AUDIT_FIELDS } from '../src/observe/audit-log.js';
import { createMetrics } from '../src/observe/metrics.js';

const MOST = 20;
const client = ec();
const jkt = thumbprint(client);
const CERTIFICATE = 'AAEC';
const x5t = createHash('sha256').update(Buffer.from(CERTIFICATE, 'base64')).digest('base64url');
let fixture: GatewayFixture;
/** Without the Redis that its config names, which lets proofs pass. */
let lonely: GatewayFixture;

beforeAll(async () => {
  const away = await freePort();
  fixture = await startFixture({
    change: (config, { backendPort }) => {
      const [mcp] = config.routes;
      const { auth } = mcp!;
      const backend = { url: `http://127.0.0.1:${backendPort}` };
      config.trustedPeers = ['10.0.0.0/8', '127.0.0.2/32'];
      config.limits = { maxConnections: MOST };
      config.routes.push(
        {
          ...mcp!,
          name: 'limited',
          pathPrefix: '/limited',
          rateLimit: { maxTokens: 1, tokensPerFill: 1, fillIntervalSeconds: 3600 },
        },
        {
          kind: 'mcp',
          name: 'permissive',
          pathPrefix: '/permissive',
          auth: { profile: 'dpop', mode: 'permissive', issuers: ['as'], audiences: [`${ORIGIN}/mcp`] },
          backend,
        },
        {
          kind: 'mcp',
          name: 'ruled',
          pathPrefix: '/ruled',
          auth,
          allow: [{ method: 'tools/call', names: ['echo'] }],
          backend,
        },
        {
          kind: 'mcp',
          name: 'mtls',
          pathPrefix: '/mtls',
          auth: { profile: 'mtls', issuers: ['as'], audiences: [`${ORIGIN}/mcp`], certificateFrom: 'header' },
          backend,
        },
      );
    },
  });
  // Nobody keeps its claims, its traces or its audit lines.
  lonely = await startFixture({
    change: (config) => {
      config.replay = {
        store: 'redis',
        url: `redis://127.0.0.1:${away}`,
        timeoutSeconds: 0.1,
        onStoreFailure: 'allow',
      };
      config.tracing = {
        url: `http://127.0.0.1:${away}/v1/traces`,
        exportIntervalSeconds: 0.1,
        timeoutSeconds: 0.1,
      };
      config.audit = { file: '/dev/full' };
    },
  });
});
afterAll(async () => {
  await fixture.stop();
  await lonely.stop();
});
const usual: GatewayFixture['answer'] = (_, response) =>
  response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"ok":true}');
beforeEach(() => {
  fixture.answer = usual;
});

interface Shape {
  readonly to?: GatewayFixture;
  readonly method?: string;
  readonly path?: string;
  readonly body?: string;
  readonly more?: Record<string, string>;
  readonly jti?: readonly [token: string, proof: string];
  readonly iat?: number;
}
const headers = ({ to = fixture, method = 'POST', path = '/mcp', more = {}, jti, iat }: Shape) => {
  const token = accessToken(to.as, { cnf: { jkt }, ...(jti === undefined ? {} : { jti: jti[0] }) });
  const claims = { ...(jti === undefined ? {} : { jti: jti[1] }), ...(iat === undefined ? {} : { iat }) };
  return {
    authorization: `DPoP ${token}`,
    dpop: proof(client, method, ORIGIN + path.split('?')[0]!, token, { claims }),
    ...more,
  };
};
const ask = async (shape: Shape = {}) => {
  const { to = fixture, method = 'POST', path = '/mcp', body } = shape;
  return (await to.ask({ method, path, headers: headers(shape), ...(body === undefined ? {} : { body }) }))
    .status;
};
/** Opens an answer and hands it over at its header block. */
const open = () =>
  new Promise<IncomingMessage>((resolve, reject) => {
    http
      .get(
        {
          host: '127.0.0.1',
          port: fixture.gateway.port,
          path: '/mcp',
          headers: headers({ method: 'GET' }),
          agent: false,
        },
        (answer) => resolve(answer.on('error', () => {})),
      )
      .on('error', reject);
  });
const stream: GatewayFixture['answer'] = (_, response) => {
  response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: x\n\n');
};
const cut: GatewayFixture['answer'] = (message, response) => {
  response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: x\n\n');
  setTimeout(() => message.socket.destroy(), 20);
};
const valueOf = async (sample: string, target = fixture) =>
  Number(
    (await target.admin('/metrics')).text
      .split('\n')
      .find((l) => l.startsWith(`${sample} `))
      ?.slice(sample.length + 1) ?? 0,
  );
const reaches = async (sample: string, value: number, target = fixture) => {
  for (let i = 0; i < 100 && (await valueOf(sample, target)) !== value; i++) await sleep(20);
  expect(await valueOf(sample, target)).toBe(value);
};
/** Of a counter, or the count of a histogram: one more by `act`. */
const grows =
  (sample: string, act: () => Promise<unknown>, of = () => fixture) =>
  async () => {
    const before = await valueOf(sample, of());
    await act();
    await reaches(sample, before + 1, of());
  };
/** Of a gauge: one more while an answer is open. */
const rises = (sample: () => string) => async () => {
  fixture.answer = stream;
  await reaches(sample(), 0);
  const answer = await open();
  expect(await valueOf(sample())).toBe(1);
  answer.destroy();
  await reaches(sample(), 0);
};

/** A gateway that is not ready: the file of its nonce keys is empty. */
const withoutNonceKeys = async () => {
  let file = '';
  const waiting = await startFixture({
    change: (config, { dir }) => {
      file = join(dir, 'nonce-keys');
      writeFileSync(file, '');
      const [mcp] = config.routes;
      const auth = { ...mcp!.auth, nonce: { keys: { file } } };
      config.routes.push({ ...mcp!, name: 'nonce', pathPrefix: '/nonce', auth });
    },
  });
  return { waiting, file };
};

const metrics = createMetrics({
  now: () => 0,
  replayEntries: () => 0,
  openStreams: () => 0,
  ignoredKeys: () => [],
  keyAgeSeconds: () => [],
  liveKeys: () => [],
  waitingFor: () => [],
  certificateExpiry: () => [],
  followed: () => ({}),
  configHash: () => '',
});
const described = metrics.described().map(({ name }) => name);
const ours = described.filter((name) => name.startsWith('agentgateway_'));

it('what a thread sends to the main one counts every request that was answered', async () => {
  metrics.countRequest({ route: 'mcp' }, 200, 'ok', 0.5);
  const sent = JSON.stringify(await metrics.values());
  expect(sent).toContain('"value":1,"metricName":"agentgateway_request_duration_seconds_count"');
});

describe('the metric', () => {
  const moves: Readonly<Record<string, () => Promise<unknown>>> = {
    agentgateway_jwt_auth_failure_total: grows(
      'agentgateway_jwt_auth_failure_total{route="mcp",reason="dpop_expired"}',
      () => ask({ iat: 1 }),
    ),
    agentgateway_rate_limit_triggered_total: grows(
      'agentgateway_rate_limit_triggered_total{route="limited"}',
      async () => {
        expect([await ask({ path: '/limited' }), await ask({ path: '/limited' })]).toEqual([200, 429]);
      },
    ),
    agentgateway_refusals_total: grows('agentgateway_refusals_total{route="(none)",reason="no_route"}', () =>
      ask({ path: '/nowhere' }),
    ),
    agentgateway_permissive_would_deny_total: grows(
      'agentgateway_permissive_would_deny_total{route="permissive",reason="dpop_expired"}',
      () => ask({ path: '/permissive', iat: 1 }),
    ),
    agentgateway_replay_unchecked_total: grows(
      'agentgateway_replay_unchecked_total',
      async () => expect(await ask({ to: lonely })).toBe(200),
      () => lonely,
    ),
    agentgateway_replay_claim_duration_seconds: grows(
      'agentgateway_replay_claim_duration_seconds_count{answer="down"}',
      () => ask({ to: lonely }),
      () => lonely,
    ),
    agentgateway_connections_refused_total: grows(
      'agentgateway_connections_refused_total{cause="total"}',
      async () => {
        const sockets: net.Socket[] = [];
        for (let i = 0; i < MOST + 1; i++)
          sockets.push(net.connect(fixture.gateway.port, '127.0.0.1').on('error', () => {}));
        await sleep(150);
        for (const socket of sockets) socket.destroy();
        await sleep(50);
      },
    ),
    agentgateway_audit_lines_lost_total: async () => {
      const before = await valueOf('agentgateway_audit_lines_lost_total', lonely);
      await ask({ to: lonely });
      for (
        let i = 0;
        i < 100 && (await valueOf('agentgateway_audit_lines_lost_total', lonely)) === before;
        i++
      )
        await sleep(20);
      expect(await valueOf('agentgateway_audit_lines_lost_total', lonely)).toBeGreaterThan(before);
      expect(lonely.warnings.join()).toMatch(/audit: \d+ line\(s\) lost: ENOSPC/);
    },
    agentgateway_event_lines_lost_total: grows('agentgateway_event_lines_lost_total', async () =>
      fixture.gateway.eventsLost(1),
    ),
    agentgateway_trace_spans_dropped_total: async () => {
      const sample = 'agentgateway_trace_spans_dropped_total{cause="export"}';
      const before = await valueOf(sample, lonely);
      await ask({ to: lonely });
      for (let i = 0; i < 200 && (await valueOf(sample, lonely)) === before; i++) await sleep(20);
      expect(await valueOf(sample, lonely)).toBeGreaterThan(before);
    },
    agentgateway_reloads_total: grows(
      'agentgateway_reloads_total{what="jwks",result="refused"}',
      async () => {
        writeFileSync(join(fixture.dir, 'self.json'), '{"keys":[');
        fixture.gateway.refresh();
      },
    ),
    agentgateway_jwks_ignored_keys: grows('agentgateway_jwks_ignored_keys{issuer="self"}', async () => {
      writeFileSync(
        join(fixture.dir, 'self.json'),
        JSON.stringify({ keys: [null, { ...jwkOf(fixture.self), kid: 'my-key-1' }] }),
      );
      fixture.gateway.refresh();
    }),
    agentgateway_answers_cut_short_total: grows(
      'agentgateway_answers_cut_short_total{route="mcp",cause="client_gone"}',
      async () => {
        fixture.answer = stream;
        (await open()).destroy();
      },
    ),
    agentgateway_request_duration_seconds: grows(
      'agentgateway_request_duration_seconds_count{route="mcp",status="200"}',
      () => ask(),
    ),
    agentgateway_proof_age_seconds: grows('agentgateway_proof_age_seconds_count', () => ask()),
    agentgateway_token_age_seconds: grows('agentgateway_token_age_seconds_count', () => ask()),
    agentgateway_active_connections: rises(
      () => `agentgateway_active_connections{backend="127.0.0.1:${fixture.backendPort}"}`,
    ),
    agentgateway_ready: async () => {
      expect(await valueOf('agentgateway_ready')).toBe(1);
      const { waiting } = await withoutNonceKeys();
      expect(await valueOf('agentgateway_ready', waiting)).toBe(0);
      await waiting.stop();
    },
    agentgateway_waiting_for: async () => {
      const { waiting, file } = await withoutNonceKeys();
      expect(await valueOf(`agentgateway_waiting_for{what="nonce keys ${file}"}`, waiting)).toBe(1);
      await waiting.stop();
    },
    agentgateway_reload_failed: async () => {
      const { waiting, file } = await withoutNonceKeys();
      expect(await valueOf('agentgateway_reload_failed{what="nonce_keys"}', waiting)).toBe(1);
      writeFileSync(file, 'k'.repeat(64));
      await reaches('agentgateway_reload_failed{what="nonce_keys"}', 0, waiting);
      await waiting.stop();
    },
    agentgateway_tls_handshakes_failed_total: async () => {
      const secure = await startFixture({ http2: true });
      try {
        const sample = 'agentgateway_tls_handshakes_failed_total{cause="not_tls"}';
        const socket = net.connect(secure.gateway.port, '127.0.0.1').on('error', () => {});
        socket.write('GET / HTTP/1.1\r\n\r\n');
        await reaches(sample, 1, secure);
        socket.destroy();
      } finally {
        await secure.stop();
      }
    },
    agentgateway_jwks_keys: async () => {
      const sample = 'agentgateway_jwks_keys{issuer="as"}';
      expect(await valueOf(sample)).toBe(1);
      const keys = ['as-1', 'as-2'].map((kid) => ({ ...jwkOf(fixture.as), kid }));
      writeFileSync(join(fixture.dir, 'as.json'), JSON.stringify({ keys }));
      fixture.gateway.refresh();
      await reaches(sample, 2);
    },
    agentgateway_build_info: async () =>
      expect((await fixture.admin('/metrics')).text).toMatch(
        /^agentgateway_build_info\{version="source",code="[0-9a-f]{12}"\} 1$/m,
      ),
    agentgateway_config_info: async () => {
      const hashOf = async (target: GatewayFixture) =>
        /agentgateway_config_info\{hash="([0-9a-f]{12})"\} 1$/m.exec(
          (await target.admin('/metrics')).text,
        )![1];
      const { waiting } = await withoutNonceKeys();
      expect(await hashOf(fixture)).toBe(await hashOf(fixture));
      expect(await hashOf(waiting)).not.toBe(await hashOf(fixture));
      await waiting.stop();
    },
    agentgateway_certificate_expiry_seconds: async () => {
      const secure = await startFixture({ http2: true });
      const file = join(secure.dir, 'fixture.crt');
      const inSeconds =
        (await valueOf(`agentgateway_certificate_expiry_seconds{file="${file}"}`, secure)) -
        Date.now() / 1000;
      expect(inSeconds).toBeGreaterThan(86_000);
      expect(inSeconds).toBeLessThanOrEqual(86_400);
      await secure.stop();
    },
    agentgateway_upstream_queued: async () => {
      const narrow = await startFixture({
        change: (config) => {
          config.upstream = { maxSockets: 1, maxQueued: 4, maxQueueSeconds: 2 };
        },
      });
      try {
        narrow.answer = () => {};
        const sample = `agentgateway_upstream_queued{backend="127.0.0.1:${narrow.backendPort}"}`;
        const asked = [ask({ to: narrow }), ask({ to: narrow })].map((status) => status.catch(() => 0));
        await reaches(sample, 1, narrow);
        await Promise.any(asked);
        await reaches(sample, 0, narrow);
      } finally {
        await narrow.stop();
      }
    },
    agentgateway_open_streams: rises(() => 'agentgateway_open_streams'),
    agentgateway_replay_entries: grows('agentgateway_replay_entries', () => ask()),
    agentgateway_jwks_age_seconds: async () => {
      const sample = 'agentgateway_jwks_age_seconds{issuer="as"}';
      const before = await valueOf(sample);
      await sleep(60);
      expect((await valueOf(sample)) - before).toBeGreaterThan(0.05);
    },
  };
  it('has a test here, whichever it is', () => expect(Object.keys(moves).sort()).toEqual([...ours].sort()));
  it.each(Object.entries(moves))('%s moves', (_, move) => move());
  it('of the process is there, whichever it is', async () => {
    const { text } = await fixture.admin('/metrics');
    const there = [...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name);
    expect(there.sort()).toEqual([...described].sort());
    for (const line of text.split('\n').filter((l) => l !== '' && !l.startsWith('#')))
      expect(line).toMatch(/^[a-z_0-9]+(\{[^}]*\})? (-?[\d.]+(e[+-]?\d+)?|\+Inf|Nan)$/i);
  });
});

describe('audit fields', () => {
  type Field = keyof typeof AUDIT_FIELDS;
  it('are written, each by some request, and no other field is', async () => {
    const from = (await fixture.audit()).length;
    const rpc = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'echo' } });
    expect(
      await ask({
        path: '/ruled?x=1',
        body: rpc,
        jti: ['token-1', 'proof-1'],
        more: { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' },
      }),
    ).toBe(200);
    expect(await ask({ path: '/permissive', iat: 1 })).toBe(200);
    expect(await ask({ path: '/mcp', iat: 1 })).toBe(401);
    const self = selfSignedToken(fixture.self, 'POST', `${ORIGIN}/self`, { jti: 'self-1' });
    expect(
      (await fixture.ask({ method: 'POST', path: '/self', headers: { authorization: `Bearer ${self}` } }))
        .status,
    ).toBe(200);
    const bound = accessToken(fixture.as, { cnf: { 'x5t#S256': x5t } });
    const mtls = await new Promise<number>((resolve, reject) =>
      http
        .request(
          {
            host: '127.0.0.1',
            localAddress: '127.0.0.2',
            port: fixture.gateway.port,
            method: 'POST',
            path: '/mtls',
            headers: { authorization: `Bearer ${bound}`, 'client-cert': `:${CERTIFICATE}:` },
            agent: false,
          },
          (answer) => resolve(answer.resume().statusCode!),
        )
        .on('error', reject)
        .end(),
    );
    expect(mtls).toBe(200);
    fixture.answer = stream;
    (await open()).destroy();
    await sleep(50);

    const lines = (await fixture.audit()).slice(from);
    expect(lines).toHaveLength(6);
    const wanted: Readonly<Record<Field, unknown>> = {
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      'request.id': expect.stringMatching(/^[0-9a-f-]{36}$/),
      'trace.id': '0af7651916cd43dd8448eb211c80319c',
      'client.address': '127.0.0.1',
      'http.version': '1.1',
      'request.method': 'GET',
      'request.path': '/ruled',
      'route.name': 'ruled',
      'response.status': 401,
      reason: 'dpop_expired',
      detail: expect.any(String),
      would_deny: 'dpop_expired',
      'jwt.iss': 'my-app-aiops',
      'jwt.sub': 'agent-7',
      'jwt.aud': `${ORIGIN}/mcp`,
      'jwt.jti': 'token-1',
      'jwt.kid': 'my-key-1',
      'dpop.htm': 'POST',
      'dpop.htu': `${ORIGIN}/ruled`,
      'dpop.jti': 'proof-1',
      'dpop.jkt': jkt,
      'mtls.x5t#S256': x5t,
      'mcp.method': 'tools/call',
      'mcp.name': 'echo',
      upstream: `127.0.0.1:${fixture.backendPort}`,
      'upstream.wait_ms': expect.any(Number),
      'response.bytes': '{"ok":true}'.length,
      complete: false,
      ended: 'client_gone',
      duration_ms: expect.any(Number),
    };
    for (const [field, want] of Object.entries(wanted))
      expect({ field, values: lines.map((line) => line[field]) }).toEqual({
        field,
        values: expect.arrayContaining([want]),
      });
    expect(
      [...new Set(lines.flatMap((line) => Object.keys(line)))].filter((field) => !(field in AUDIT_FIELDS)),
    ).toEqual([]);
  });
  it('name a token and its proof by their ids, and not by their hashes', async () => {
    await ask({ jti: ['token-2', 'proof-2'] });
    const line = (await fixture.audit()).at(-1)!;
    expect(line).toMatchObject({ 'jwt.jti': 'token-2', 'dpop.jti': 'proof-2' });
    expect(JSON.stringify(line)).not.toContain(sha256('token-2'));
    const self = selfSignedToken(fixture.self, 'POST', `${ORIGIN}/self`, { jti: 'self-2' });
    await fixture.ask({ method: 'POST', path: '/self', headers: { authorization: `Bearer ${self}` } });
    expect((await fixture.audit()).at(-1)).toMatchObject({ 'jwt.jti': 'self-2', 'jwt.kid': 'my-key-1' });
  });
  it('name the backend that answered, and none where none did', async () => {
    await ask();
    expect((await fixture.audit()).at(-1)).toMatchObject({
      upstream: `127.0.0.1:${fixture.backendPort}`,
      complete: true,
    });
    await ask({ iat: 1 });
    expect((await fixture.audit()).at(-1)).not.toHaveProperty('upstream');
  });
  it.each<['client_gone' | 'backend_cut', GatewayFixture['answer'], (answer: IncomingMessage) => void]>([
    ['client_gone', stream, (answer) => answer.destroy()],
    ['backend_cut', cut, (answer) => answer.resume()],
  ])('say that an answer ended early: %s', async (ended, answer, then) => {
    fixture.answer = answer;
    const sample = `agentgateway_answers_cut_short_total{route="mcp",cause="${ended}"}`;
    const before = await valueOf(sample);
    then(await open());
    await reaches(sample, before + 1);
    expect((await fixture.audit()).at(-1)).toMatchObject({
      ended,
      complete: false,
      'response.status': 200,
      reason: 'ok',
      'response.bytes': 'data: x\n\n'.length,
      upstream: `127.0.0.1:${fixture.backendPort}`,
    });
  });
  it('say 499 of a client that left before there was an answer', async () => {
    fixture.answer = () => {};
    const before = fixture.seen.length;
    const out = http
      .get({
        host: '127.0.0.1',
        port: fixture.gateway.port,
        path: '/mcp',
        headers: headers({ method: 'GET' }),
        agent: false,
      })
      .on('error', () => {});
    for (let i = 0; i < 100 && fixture.seen.length === before; i++) await sleep(10);
    out.destroy();
    await sleep(50);
    expect((await fixture.audit()).at(-1)).toMatchObject({
      'response.status': 499,
      ended: 'client_gone',
      complete: false,
      'response.bytes': 0,
    });
  });
});
