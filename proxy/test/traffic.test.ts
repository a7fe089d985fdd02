/** Streams, modes, malformed HTTP, probes and the end of the process. */
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { startFixture, ORIGIN, type GatewayFixture } from './support/gateway.js';
import { accessToken, ec, proof, thumbprint } from './support/mint.js';
import { until } from './support/until.js';

let fixture: GatewayFixture;
const client = ec();
const jkt = thumbprint(client);
const HTU = `${ORIGIN}/mcp`;

beforeAll(async () => {
  fixture = await startFixture({
    change: (config, { backendPort }) => {
      const open = (name: string, mode: 'optional' | 'permissive') => ({
        kind: 'mcp' as const,
        name,
        pathPrefix: `/${name}`,
        auth: { profile: 'dpop' as const, mode, issuers: ['as'], audiences: [HTU] },
        backend: { url: `http://127.0.0.1:${backendPort}` },
      });
      config.routes.push(open('optional', 'optional'), open('permissive', 'permissive'));
      config.routes[0] = {
        ...config.routes[0]!,
        allowedOrigins: ['https://app.example'],
      } as (typeof config.routes)[number];
    },
  });
});
afterAll(() => fixture.stop());
beforeEach(() => {
  fixture.seen.length = 0;
});

const headers = (path = '/mcp', method = 'POST') => {
  const at = accessToken(fixture.as, { cnf: { jkt } });
  return { authorization: `DPoP ${at}`, dpop: proof(client, method, ORIGIN + path, at) };
};
const lines = (fields: Record<string, string>) =>
  Object.entries(fields)
    .map(([k, v]) => `${k}: ${v}\r\n`)
    .join('');

async function withAnswer<T>(answer: GatewayFixture['answer'], run: () => Promise<T>): Promise<T> {
  const usual = fixture.answer;
  fixture.answer = answer;
  try {
    return await run();
  } finally {
    fixture.answer = usual;
  }
}

describe('streams', () => {
  it('bring each event when it happens, not when the stream ends', async () => {
    let finish = () => {};
    await withAnswer(
      (_, response) => {
        response.writeHead(200, { 'Content-Type': 'text/event-stream' });
        response.write('data: first\n\n');
        finish = () => response.end('data: last\n\n');
      },
      async () => {
        const got: string[] = [];
        await new Promise<void>((resolve, reject) => {
          http
            .request(
              {
                host: '127.0.0.1',
                port: fixture.gateway.port,
                path: '/mcp',
                method: 'GET',
                headers: headers('/mcp', 'GET'),
              },
              (answer) => {
                answer.on('data', (chunk: Buffer) => {
                  got.push(chunk.toString());
                  if (got.length === 1) finish(); // only now: the first event came while the stream was open
                });
                answer.on('end', resolve);
              },
            )
            .on('error', reject)
            .end();
        });
        expect(got.join('')).toBe('data: first\n\ndata: last\n\n');
        expect(got.length).toBeGreaterThan(1);
      },
    );
  });
  it('show their header block before the first event', async () => {
    await withAnswer(
      (_, response) => {
        response.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders();
      },
      async () => {
        const status = await new Promise((resolve, reject) => {
          const request = http.get(
            { host: '127.0.0.1', port: fixture.gateway.port, path: '/mcp', headers: headers('/mcp', 'GET') },
            (answer) => {
              resolve(answer.statusCode);
              answer.on('error', () => {}); // we cut it off ourselves
              request.destroy();
            },
          );
          request.on('error', reject);
        });
        expect(status).toBe(200);
      },
    );
  });
  it('end at the backend when the client goes', async () => {
    const closed = new Promise<void>((resolve) => {
      void withAnswer(
        (message, response) => {
          response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: x\n\n');
          message.socket.once('close', resolve);
        },
        () =>
          new Promise<void>((done) => {
            const request = http.get(
              {
                host: '127.0.0.1',
                port: fixture.gateway.port,
                path: '/mcp',
                headers: headers('/mcp', 'GET'),
              },
              (answer) => {
                answer.on('error', () => {});
                answer.once('data', () => {
                  request.destroy();
                  done();
                });
              },
            );
            request.on('error', () => {});
          }),
      );
    });
    await closed;
    expect((await fixture.audit()).at(-1)).toMatchObject({ complete: false });
  });
  it('that break at the backend break at the client', async () => {
    await withAnswer(
      (message, response) => {
        response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: half');
        setTimeout(() => message.socket.destroy(), 20);
      },
      async () => {
        await expect(fixture.ask({ path: '/mcp', headers: headers('/mcp', 'GET') })).rejects.toThrow();
      },
    );
  });
  it('of megabytes pass unchanged in both directions', async () => {
    const big = 'x'.repeat(3_000_000);
    await withAnswer(
      (_, response, body) => response.writeHead(200).end(body),
      async () => {
        const { text } = await fixture.ask({
          method: 'POST',
          path: '/mcp',
          headers: { ...headers(), 'transfer-encoding': 'chunked' },
          body: big,
        });
        expect(text.length).toBe(big.length);
        expect(text).toBe(big);
      },
    );
  });
});

describe('modes', () => {
  it('optional lets the anonymous in, and nobody with bad credentials', async () => {
    expect((await fixture.ask({ method: 'POST', path: '/optional' })).status).toBe(200);
    expect(
      (await fixture.ask({ method: 'POST', path: '/optional', headers: { authorization: 'DPoP x' } })).status,
    ).toBe(401);
    expect((await fixture.ask({ method: 'POST', path: '/optional', headers: { dpop: 'x' } })).status).toBe(
      401,
    );
  });
  it('permissive lets everybody in, and says who would not have come', async () => {
    expect(
      (await fixture.ask({ method: 'POST', path: '/permissive', headers: { authorization: 'Bearer x' } }))
        .status,
    ).toBe(200);
    expect((await fixture.audit()).at(-1)).toMatchObject({ reason: 'ok', would_deny: 'scheme_refused' });
    const same = headers('/permissive');
    for (const want of [undefined, 'dpop_replayed']) {
      await fixture.ask({ method: 'POST', path: '/permissive', headers: same });
      expect((await fixture.audit()).at(-1)!.would_deny).toBe(want);
    }
    expect((await fixture.admin('/metrics')).text).toContain(
      'agentgateway_permissive_would_deny_total{route="permissive",reason="dpop_replayed"} 1',
    );
  });
});

describe('a proof', () => {
  it('sent a hundred times at once passes once', async () => {
    const same = headers();
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => fixture.ask({ method: 'POST', path: '/mcp', headers: same })),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(99);
    expect(fixture.seen).toHaveLength(1);
  });
  it('that was refused is not spent', async () => {
    const at = accessToken(fixture.as, { cnf: { jkt } });
    const good = proof(client, 'POST', HTU, at);
    expect(
      (
        await fixture.ask({
          method: 'GET',
          path: '/mcp',
          headers: { authorization: `DPoP ${at}`, dpop: good },
        })
      ).status,
    ).toBe(401);
    expect(
      (
        await fixture.ask({
          method: 'POST',
          path: '/mcp',
          headers: { authorization: `DPoP ${at}`, dpop: good },
        })
      ).status,
    ).toBe(200);
  });
  it('of one client does not burn the jti of another', async () => {
    const other = ec();
    for (const pair of [client, other]) {
      const at = accessToken(fixture.as, { cnf: { jkt: thumbprint(pair) } });
      expect(
        (
          await fixture.ask({
            method: 'POST',
            path: '/mcp',
            headers: {
              authorization: `dpop ${at}`,
              dpop: proof(pair, 'POST', HTU, at, { claims: { jti: 'same' } }),
            },
          })
        ).status,
      ).toBe(200);
    }
  });
  it('for the same URI written another way passes', async () => {
    for (const htu of [
      'HTTPS://GW.example:443/mcp',
      'https://gw.example/%6dcp',
      'https://gw.example/x/../mcp',
      `${HTU}?a=b#c`,
    ]) {
      const at = accessToken(fixture.as, { cnf: { jkt } });
      expect(
        (
          await fixture.ask({
            method: 'POST',
            path: '/mcp?z=1',
            headers: { authorization: `DPoP ${at}`, dpop: proof(client, 'POST', htu, at) },
          })
        ).status,
      ).toBe(200);
    }
  });
  it('is not for the host that the client names', async () => {
    const at = accessToken(fixture.as, { cnf: { jkt } });
    const { status } = await fixture.ask({
      method: 'POST',
      path: '/mcp',
      headers: {
        authorization: `DPoP ${at}`,
        dpop: proof(client, 'POST', 'https://evil.example/mcp', at),
        host: 'evil.example',
        'x-forwarded-host': 'evil.example',
      },
    });
    expect(status).toBe(401);
  });
});

describe('browsers', () => {
  it('of a listed origin may call, others not, before any token is looked at', async () => {
    expect(
      (
        await fixture.ask({
          method: 'POST',
          path: '/mcp',
          headers: { ...headers(), origin: 'https://app.example' },
        })
      ).status,
    ).toBe(200);
    expect(
      (await fixture.ask({ method: 'POST', path: '/mcp', headers: { origin: 'https://other.example' } }))
        .status,
    ).toBe(403);
  });
});

describe('malformed HTTP', () => {
  const line = (target: string) =>
    `GET ${target} HTTP/1.1\r\nHost: a\r\n${lines(headers('/mcp', 'GET'))}\r\n`;
  it.each([
    ['absolute-form', () => line('http://gw.example/mcp')],
    ['a double slash', () => line('//mcp')],
    ['a backslash', () => line('/\\mcp')],
    ['a fragment', () => line('/mcp#x')],
    ['a NUL', () => line('/mcp%00')],
    ['an encoded slash', () => line('/mcp%2f..%2fsecrets')],
    ['dot segments', () => line('/x/../mcp')],
    ['two Hosts', () => `GET /mcp HTTP/1.1\r\nHost: a\r\nHost: b\r\n${lines(headers('/mcp', 'GET'))}\r\n`],
    [
      'two lengths',
      () =>
        `POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n${lines(headers())}\r\nab`,
    ],
    [
      'length and chunks',
      () =>
        `POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n` +
        `Transfer-Encoding: chunked\r\n${lines(headers())}\r\n0\r\n\r\n`,
    ],
    [
      'an odd coding',
      () =>
        `POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n${lines(headers())}\r\n0\r\n\r\n`,
    ],
    ['HTTP/1.0 without Host', () => `GET /mcp HTTP/1.0\r\n${lines(headers('/mcp', 'GET'))}\r\n`],
    ['a token in the query', () => line('/mcp?access_token=x')],
  ])('%s: refused, nothing upstream', async (_, text) => {
    const got = await fixture.raw(text(), 300);
    expect(got).toMatch(/^HTTP\/1\.1 400 /);
    expect(fixture.seen).toEqual([]);
  });
});

describe('the operator', () => {
  it('gets probes and metrics on the admin port only', async () => {
    expect((await fixture.admin('/livez')).status).toBe(200);
    expect((await fixture.admin('/readyz')).text).toBe('{"status":"ok","waitingFor":[]}');
    expect((await fixture.admin('/metrics')).text).toMatch(
      /agentgateway_request_duration_seconds_count\{route="mcp",status="200"\} \d+/,
    );
    for (const path of ['/metrics', '/readyz', '/livez'])
      expect((await fixture.ask({ path })).status).toBe(404);
    expect((await fixture.ask({ path: '/healthz' })).text).toBe('{"status":"ok"}');
  });
  it('gets one audit line for each request', async () => {
    const before = (await fixture.audit()).length;
    await Promise.all([
      fixture.ask({ path: '/nowhere' }),
      fixture.ask({ path: '/mcp' }),
      fixture.ask({ method: 'POST', path: '/mcp', headers: headers() }),
      fixture.ask({ path: '/healthz' }),
    ]);
    expect((await fixture.audit()).length - before).toBe(3); // healthz is not audited
  });
  it('can stop it: open requests end, new ones are not taken', async () => {
    const other = await startFixture({
      change: (config) => {
        config.drainSeconds = 5;
      },
    });
    other.answer = (_, response) => setTimeout(() => response.writeHead(200).end('slow'), 300);
    const at = accessToken(other.as, { cnf: { jkt } });
    const slow = other.ask({
      method: 'POST',
      path: '/mcp',
      headers: { authorization: `DPoP ${at}`, dpop: proof(client, 'POST', HTU, at) },
    });
    await new Promise((resolve) => setTimeout(resolve, 100));
    const began = performance.now();
    const stopped = other.stop();
    await expect(other.ask({ path: '/healthz' })).rejects.toThrow();
    expect((await slow).text).toBe('slow');
    await stopped;
    expect(performance.now() - began).toBeLessThan(3000);
  });
  it.each([false, true])('a request that its stop cuts off has its audit line, HTTP/2: %s', async (http2) => {
    const other = await startFixture({ http2 });
    try {
      other.answer = () => {};
      const at = accessToken(other.as, { cnf: { jkt } });
      const credentials = { authorization: `DPoP ${at}`, dpop: proof(client, 'POST', HTU, at) };
      const cutOff = other.ask({ method: 'POST', path: '/mcp', headers: credentials }).catch(() => {});
      await until(() => other.seen.length === 1);
      await other.gateway.stop();
      await cutOff;
      const written = readFileSync(join(other.dir, 'audit.jsonl'), 'utf8').trim().split('\n');
      expect(written.map((line) => JSON.parse(line))).toEqual([
        expect.objectContaining({ 'request.path': '/mcp', ended: 'client_gone' }),
      ]);
    } finally {
      await other.stop();
    }
  });
});
