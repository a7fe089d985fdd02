/**
 * Traces, at a collector on a real socket: whose they are, what is in them, and that nothing of a request waits
 * for them.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileProblems } from '../src/config-files.js';
import { parseConfig, type ConfigInput } from '../src/config/index.js';
import { KIND, startCollector, STATUS, type Collector, type Exported } from './support/collector.js';
import { freePort, ORIGIN, startFixture, type GatewayFixture } from './support/gateway.js';
import { startKube, type Kube } from './support/kube.js';
import { accessToken, ec, proof, thumbprint } from './support/mint.js';

const client = ec();
const jkt = thumbprint(client);
const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';
const TRACEPARENT = `00-${TRACE}-${PARENT}-01`;

let fixture: GatewayFixture;
let collector: Collector;
const opened: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of opened.splice(0).reverse()) await stop();
});

type Tracing = NonNullable<ConfigInput['tracing']>;
async function open(
  tracing: Partial<Tracing> = {},
  change?: (config: ConfigInput, fixture: { backendPort: number; dir: string }) => void,
): Promise<void> {
  const { url, stop } = (collector = await startCollector());
  opened.push(stop);
  const { stop: stopFixture } = (fixture = await startFixture({
    change: (config, more) => {
      config.tracing = { url, exportIntervalSeconds: 0.1, timeoutSeconds: 0.5, ...tracing };
      change?.(config, more);
    },
  }));
  opened.push(stopFixture);
}

const headersFor = (path: string, method: string, token = accessToken(fixture.as, { cnf: { jkt } })) => ({
  authorization: `DPoP ${token}`,
  dpop: proof(client, method, ORIGIN + path, token),
});
const ask = (more: Record<string, string | string[]> = {}, path = '/mcp', query = '') =>
  fixture.ask({ method: 'POST', path: path + query, headers: { ...headersFor(path, 'POST'), ...more } });
const of = (kind: number, spans: readonly Exported[] = collector.spans) =>
  spans.filter((span) => span.kind === kind);
const metric = async (line: string) =>
  Number(
    (await fixture.admin('/metrics')).text
      .split('\n')
      .find((l) => l.startsWith(`${line} `))
      ?.split(' ')[1] ?? 0,
  );
const dropped = (cause: 'queue' | 'export') =>
  metric(`agentgateway_trace_spans_dropped_total{cause="${cause}"}`);
const traceAt = async () => (await fixture.audit()).at(-1)!['trace.id'];
const toBackend = () => fixture.seen.at(-1)!.headers;

describe('the trace of a request', () => {
  it('is the one that the client began, and goes on to the backend under the name of our part', async () => {
    await open();
    expect((await ask({ traceparent: TRACEPARENT, tracestate: ['a=1', 'b=2'] })).status).toBe(200);
    const spans = await collector.until(2);
    const [server] = of(KIND.server);
    const [part] = of(KIND.client);
    expect(spans).toHaveLength(2);
    expect([server!.traceId, server!.parentSpanId, part!.traceId, part!.parentSpanId]).toEqual([
      TRACE,
      PARENT,
      TRACE,
      server!.spanId,
    ]);
    expect(toBackend()).toMatchObject({
      traceparent: `00-${TRACE}-${part!.spanId}-01`,
      tracestate: 'a=1,b=2',
    });
    expect(
      fixture.seen.at(-1)!.rawHeaders.filter((name) => name.toLowerCase() === 'traceparent'),
    ).toHaveLength(1);
    expect(await traceAt()).toBe(TRACE);
  });
  it('is a new one where the client has none, and the audit line names it', async () => {
    await open();
    await ask();
    await ask();
    await collector.until(4);
    const [first, second] = of(KIND.server);
    expect([first!.parentSpanId, second!.parentSpanId]).toEqual(['', '']);
    expect(first!.traceId).not.toBe(second!.traceId);
    expect(await traceAt()).toBe(second!.traceId);
    expect(toBackend().traceparent).toContain(second!.traceId);
  });
  it.each([
    ['a version that is forbidden', `ff-${TRACE}-${PARENT}-01`],
    ['more than version 00 has', `${TRACEPARENT}-more`],
    ['no trace id', `00-${'0'.repeat(32)}-${PARENT}-01`],
    ['no parent', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['upper case', TRACEPARENT.toUpperCase()],
    ['a text', 'x'.repeat(500)],
    ['two of them', [TRACEPARENT, TRACEPARENT]],
  ])(
    'is not the one of a traceparent with %s (W3C Trace Context 3.2), whose tracestate goes too',
    async (_, traceparent) => {
      await open();
      expect((await ask({ traceparent, tracestate: 'a=1' })).status).toBe(200);
      await collector.until(2);
      expect(of(KIND.server)).toHaveLength(1);
      expect([of(KIND.server)[0]!.traceId === TRACE, of(KIND.server)[0]!.parentSpanId]).toEqual([false, '']);
      expect(toBackend().traceparent).toBe(
        `00-${of(KIND.server)[0]!.traceId}-${of(KIND.client)[0]!.spanId}-01`,
      );
      expect(toBackend().tracestate).toBeUndefined();
    },
  );
  it('may come from a later version of the standard', async () => {
    await open();
    await ask({ traceparent: `01-${TRACE}-${PARENT}-01-more` });
    expect((await collector.until(2))[0]!.traceId).toBe(TRACE);
  });
  it('goes to the Kubernetes API too, without a text of the client', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'agw-trace-'));
    opened.push(async () => rmSync(dir, { recursive: true }));
    const kube: Kube = await startKube(dir);
    opened.push(() => kube.stop());
    await open({}, (config) =>
      config.routes.push({
        kind: 'secrets',
        name: 'secrets',
        pathPrefix: '/secrets',
        auth: { profile: 'dpop', issuers: ['as'], audiences: [`${ORIGIN}/mcp`] },
        backend: {
          url: `https://127.0.0.1:${kube.port}`,
          caFile: kube.caFile,
          tokenFile: kube.tokenFile,
          namespace: 'aiops',
          secretNames: ['db'],
        },
      }),
    );
    const { status, text } = await fixture.ask({
      path: '/secrets/db',
      headers: { ...headersFor('/secrets/db', 'GET'), traceparent: TRACEPARENT, tracestate: 'a=1' },
    });
    expect([status, text.includes('aHVudGVyMg==')]).toEqual([200, true]);
    await collector.until(2);
    const headers = kube.seen[0]!.headers as Record<string, string>;
    expect([headers.traceparent, headers.tracestate]).toEqual([
      `00-${TRACE}-${of(KIND.client)[0]!.spanId}-01`,
      undefined,
    ]);
    expect(JSON.stringify(collector.received)).not.toMatch(/aHVudGVyMg|hunter2|sa-token/);
  });
});

describe('a span', () => {
  it('says what semantic conventions and the audit line say, and nothing more', async () => {
    await open({ serviceName: 'edge' });
    fixture.answer = (_, response) => {
      setTimeout(() => response.writeHead(201).end('{}'), 30);
    };
    expect((await ask({}, '/mcp', '?token=CANARY')).status).toBe(201);
    await collector.until(2);
    const [server] = of(KIND.server);
    const [part] = of(KIND.client);
    expect(server).toMatchObject({ name: 'POST /mcp', status: STATUS.unset, service: 'edge' });
    expect(server!.attributes).toEqual({
      'http.request.method': 'POST',
      'http.route': '/mcp',
      'http.response.status_code': 201,
      'url.scheme': 'https',
      'url.path': '/mcp',
      'server.address': 'gw.example',
      'server.port': 443,
      'client.address': '127.0.0.1',
      'network.protocol.version': '1.1',
      'agentgateway.request_id': (await fixture.audit()).at(-1)!['request.id'],
      'agentgateway.route': 'mcp',
      'agentgateway.reason': 'ok',
    });
    expect(part).toMatchObject({ name: 'POST', status: STATUS.unset });
    expect(part!.attributes).toEqual({
      'http.request.method': 'POST',
      'http.response.status_code': 201,
      'url.full': `http://127.0.0.1:${fixture.backendPort}/mcp`,
      'server.address': '127.0.0.1',
      'server.port': fixture.backendPort,
    });
    expect(part!.millis).toBeGreaterThan(25);
    expect(server!.millis).toBeGreaterThanOrEqual(part!.millis);
  });
  it('of a refused request has the reason and no claim', async () => {
    await open();
    const token = accessToken(fixture.as, { cnf: { jkt }, exp: 1, sub: 'CANARY-sub' });
    expect(
      (await fixture.ask({ method: 'POST', path: '/mcp', headers: headersFor('/mcp', 'POST', token) }))
        .status,
    ).toBe(401);
    expect((await fixture.ask({ path: '/nowhere' })).status).toBe(404);
    const [refused, unmatched] = await collector.until(2);
    expect(refused).toMatchObject({ name: 'POST /mcp', kind: KIND.server, status: STATUS.unset });
    expect(refused!.attributes).toMatchObject({
      'http.response.status_code': 401,
      'agentgateway.reason': 'token_expired',
      'error.type': 'token_expired',
    });
    expect(unmatched).toMatchObject({ name: 'GET', status: STATUS.unset });
    expect(unmatched!.attributes['http.route']).toBeUndefined();
    expect(JSON.stringify(collector.received)).not.toMatch(/CANARY|agent-7/);
  });
  it('is an error where the backend is away, or says so itself', async () => {
    const nobody = await freePort();
    await open({}, (config) =>
      config.routes.push({
        kind: 'mcp',
        name: 'away',
        pathPrefix: '/away',
        auth: { profile: 'dpop', issuers: ['as'], audiences: [`${ORIGIN}/mcp`] },
        backend: { url: `http://127.0.0.1:${nobody}` },
      }),
    );
    expect((await ask({}, '/away')).status).toBe(502);
    fixture.answer = (_, response) => response.writeHead(503).end();
    expect((await ask()).status).toBe(503);
    fixture.answer = (_, response) => response.writeHead(404).end();
    expect((await ask()).status).toBe(404);
    await collector.until(6);
    expect(of(KIND.server).map(({ status, attributes }) => [status, attributes['error.type']])).toEqual([
      [STATUS.error, 'upstream_unreachable'],
      [STATUS.error, '503'],
      [STATUS.unset, undefined],
    ]);
    expect(of(KIND.client).map(({ status, attributes }) => [status, attributes['error.type']])).toEqual([
      [STATUS.error, 'upstream_unreachable'],
      [STATUS.error, '503'],
      [STATUS.error, '404'],
    ]);
  });
  it('ends with the client that leaves, and says so', async () => {
    await open();
    const leaves = new AbortController();
    fixture.answer = () => leaves.abort(); // never answers
    await expect(
      fetch(`http://127.0.0.1:${fixture.gateway.port}/mcp`, {
        method: 'POST',
        headers: headersFor('/mcp', 'POST'),
        signal: leaves.signal,
      }),
    ).rejects.toThrow('aborted');
    await collector.until(2);
    expect(of(KIND.server)[0]!.attributes).toMatchObject({
      'http.response.status_code': 499,
      'agentgateway.ended': 'client_gone',
    });
    expect(of(KIND.client)[0]!.attributes).toMatchObject({ 'error.type': 'client_gone' });
  });
  it('has no token, proof, query, body, cookie, credential or method of the client in it', async () => {
    await open({}, (config, { dir, backendPort }) => {
      writeFileSync(join(dir, 'credential'), 'CANARY-credential');
      config.routes.push({
        kind: 'mcp',
        name: 'kept',
        pathPrefix: '/kept',
        auth: { profile: 'dpop', issuers: ['as'], audiences: [`${ORIGIN}/mcp`] },
        backend: {
          url: `http://127.0.0.1:${backendPort}`,
          credential: { kind: 'file', file: join(dir, 'credential') },
        },
      });
    });
    const token = accessToken(fixture.as, { cnf: { jkt }, sub: 'CANARY-sub', client_id: 'CANARY-client' });
    const sent = headersFor('/kept', 'POST', token);
    const nasty = {
      cookie: 'CANARY',
      'x-anything': 'CANARY',
      'user-agent': 'CANARY',
      forwarded: 'for=CANARY',
      baggage: 'CANARY=1',
      traceparent: TRACEPARENT,
      tracestate: 'a=CANARY',
    };
    expect(
      (
        await fixture.ask({
          method: 'POST',
          path: '/kept?key=CANARY',
          headers: { ...sent, ...nasty, 'content-type': 'application/json' },
          body: '{"CANARY":1}',
        })
      ).status,
    ).toBe(200);
    expect(
      (await fixture.ask({ method: 'POST', path: '/kept?key=CANARY', headers: { ...sent, ...nasty } }))
        .status,
    ).toBe(401);
    await fixture.ask({
      method: 'PROPFIND',
      path: '/kept',
      headers: { ...sent, 'mcp-session-id': 'CANARY' },
    });
    await fixture.raw(`GET http://CANARY:CANARY@x/kept#CANARY HTTP/1.1\r\nhost: CANARY\r\n\r\n`, 200);
    const spans = await collector.until(5);
    expect(fixture.seen[0]!.headers.tracestate).toBe('a=CANARY');
    const exported = JSON.stringify(collector.received);
    expect(spans).toHaveLength(5);
    for (const secret of [
      'CANARY',
      'agent-7',
      jkt,
      'PROPFIND',
      sent.dpop,
      token,
      ...token.split('.'),
      ...sent.dpop.split('.'),
    ])
      expect([secret, exported.includes(secret)]).toEqual([secret, false]);
  });
});

describe('how many are recorded', () => {
  it('none at a ratio of 0, whatever the client says; backend and audit line have the trace all the same', async () => {
    await open({ sampleRatio: 0 });
    await ask({ traceparent: TRACEPARENT });
    await ask();
    const lines = await fixture.audit();
    expect(lines[0]!['trace.id']).toBe(TRACE);
    expect(lines[1]!['trace.id']).toMatch(/^[0-9a-f]{32}$/);
    expect(fixture.seen.map(({ headers }) => String(headers.traceparent).slice(-3))).toEqual(['-00', '-00']);
    expect(fixture.seen[0]!.headers.traceparent).toMatch(new RegExp(`^00-${TRACE}-(?!${PARENT})`));
    await sleep(300);
    expect(collector.received).toEqual([]);
  });
  it('none of a client that does not want it', async () => {
    await open();
    await ask({ traceparent: `00-${TRACE}-${PARENT}-00` });
    await ask({ traceparent: TRACEPARENT });
    await collector.until(2);
    expect(
      collector.spans.map(({ parentSpanId }) => parentSpanId).filter((id) => id === PARENT),
    ).toHaveLength(1);
    expect(collector.spans).toHaveLength(2);
    expect(fixture.seen[0]!.headers.traceparent).toMatch(/-00$/);
  });
  it('no more of a client that chooses the trace id: by the id alone this one would always be recorded', async () => {
    await open({ sampleRatio: 0.000001 });
    for (let i = 0; i < 10; i++)
      expect((await ask({ traceparent: `00-${'0'.repeat(31)}1-${PARENT}-01` })).status).toBe(200);
    await sleep(300);
    expect(collector.spans).toEqual([]);
  });
});

describe('a collector', () => {
  it('that is away costs spans and one warning, and no request', async () => {
    const nobody = await freePort();
    await open({ url: `http://127.0.0.1:${nobody}/v1/traces`, timeoutSeconds: 0.2 });
    for (let i = 0; i < 3; i++) {
      expect((await ask()).status).toBe(200);
      for (let wait = 0; wait < 300 && (await dropped('export')) < 2 * (i + 1); wait++) await sleep(10);
    }
    expect(await dropped('export')).toBe(6);
    expect(fixture.warnings).toEqual([expect.stringMatching(/^tracing: spans are dropped: ECONNREFUSED/)]);
  });
  it('that refuses is the same, and is said again only after it took some', async () => {
    await open();
    const rounds = async (answer: number, lost: number) => {
      collector.answer = answer;
      await ask();
      if (answer === 200) await collector.until(2);
      for (let wait = 0; wait < 300 && (await dropped('export')) < lost; wait++) await sleep(10);
      expect(await dropped('export')).toBe(lost);
    };
    await rounds(401, 2);
    await rounds(400, 4);
    expect(fixture.warnings).toEqual([expect.stringMatching(/401/)]);
    await rounds(200, 4);
    await rounds(401, 6);
    expect(fixture.warnings).toHaveLength(2);
  });
  it('that says nothing is waited for by nobody: the queue has its bound, and what is beyond is counted', async () => {
    await open({ maxQueue: 4, timeoutSeconds: 1 });
    collector.answer = 'hang';
    const statuses = await Promise.all(Array.from({ length: 10 }, async () => (await ask()).status));
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(await dropped('queue')).toBe(16);
    expect(fixture.warnings).toEqual([expect.stringMatching(/4 spans wait/)]);
    for (let wait = 0; wait < 400 && (await dropped('export')) < 4; wait++) await sleep(10);
    expect(await dropped('export')).toBe(4);
    collector.answer = 200;
    await ask();
    expect(await collector.until(2)).toHaveLength(2);
  });
  it('gets what waits when the gateway stops', async () => {
    await open({ exportIntervalSeconds: 60 });
    await ask();
    expect(collector.spans).toEqual([]);
    await fixture.gateway.stop();
    expect(collector.spans).toHaveLength(2);
  });
  it('that says nothing does not hold up the stop', async () => {
    await open({ exportIntervalSeconds: 60, timeoutSeconds: 60 });
    await ask();
    collector.answer = 'hang';
    const began = performance.now();
    await fixture.gateway.stop();
    expect(performance.now() - began).toBeLessThan(5_000);
    expect(collector.received).toHaveLength(1);
  });
  it('gets the Authorization that the file holds, as it is now, at the path of the URL', async () => {
    let file = '';
    await open({}, (config, { dir }) => {
      file = join(dir, 'collector');
      writeFileSync(file, 'Bearer first\n');
      config.tracing!.authorization = { file };
    });
    await ask();
    await collector.until(2);
    expect(collector.received[0]).toMatchObject({
      path: '/v1/traces',
      headers: { authorization: 'Bearer first', 'content-type': 'application/json' },
    });
    writeFileSync(file, 'Bearer second');
    fixture.gateway.refresh();
    await ask();
    await collector.until(4);
    expect(collector.received.at(-1)!.headers.authorization).toBe('Bearer second');
    expect(collector.received.map(({ text }) => text).join('')).not.toContain('Bearer');
  });
  it('over TLS is the one that its certificate names', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'agw-trace-'));
    opened.push(async () => rmSync(dir, { recursive: true }));
    const kube = await startKube(dir); // for its certificates
    await kube.stop();
    const secure = await startCollector({
      key: readFileSync(join(dir, 'kube.key')),
      cert: readFileSync(join(dir, 'kube.crt')),
    });
    opened.push(() => secure.stop());
    await open({ url: secure.url, caFile: kube.caFile });
    await ask();
    expect(await secure.until(2)).toHaveLength(2);
    await open({ url: secure.url });
    await ask();
    for (let wait = 0; wait < 300 && (await dropped('export')) < 2; wait++) await sleep(10);
    expect([secure.spans.length, await dropped('export')]).toEqual([2, 2]);
  });
});

describe('the config', () => {
  it('is checked: CA only with TLS, a ratio from 0 to 1, files that are there', async () => {
    await open();
    const base = (tracing: Partial<Tracing>): ConfigInput => ({
      version: 1,
      publicOrigins: [ORIGIN],
      issuers: [{ name: 'as', issuer: 'https://as.example', jwks: { file: join(fixture.dir, 'as.json') } }],
      replay: { store: 'memory' },
      routes: [
        {
          kind: 'mcp',
          name: 'mcp',
          pathPrefix: '/mcp',
          auth: { profile: 'dpop', issuers: ['as'] },
          backend: { url: 'http://mcp:1' },
        },
      ],
      tracing: { url: 'https://collector:4318/v1/traces', ...tracing },
    });
    const problems = (tracing: Partial<Tracing>) => {
      const parsed = parseConfig(base(tracing));
      return parsed.ok ? fileProblems(parsed.config) : parsed.problems;
    };
    expect(problems({})).toEqual([]);
    expect(problems({ caFile: '/ca.crt', url: 'http://collector/v1/traces' })).toEqual([
      'tracing.caFile: must go with an https url, got "http://collector/v1/traces"',
    ]);
    expect(problems({ sampleRatio: 1.5 })).toEqual([
      'tracing.sampleRatio: must be a number from 0 to 1, got 1.5',
    ]);
    expect(problems({ url: 'https://user:secret@collector/' })).toEqual([
      expect.stringMatching(/^tracing\.url: must be an absolute http\(s\) URL without credentials/),
    ]);
    expect(problems({ caFile: '/none/ca', authorization: { file: '/none/key' } })).toEqual([
      expect.stringMatching(/^tracing\.caFile: must be a readable file/),
      expect.stringMatching(/^tracing\.authorization\.file: must be a readable file/),
    ]);
  });
  it('of tracing is read at the start', async () => {
    let input: ConfigInput | undefined;
    await open({}, (config) => {
      input = structuredClone(config);
    });
    const parsed = parseConfig({ ...input!, tracing: { ...input!.tracing!, sampleRatio: 0 } });
    expect(parsed.ok && (await fixture.gateway.reload(parsed.config))).toEqual([
      expect.stringMatching(/^tracing: must stay as it is/),
    ]);
  });
});
