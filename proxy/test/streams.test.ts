/** How long an answer may live, what its reader gets as last words, and how much of it is held when nobody reads. */
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createParser } from 'eventsource-parser';
import { wallClock } from '../src/clock.js';
import { ORIGIN, startFixture, type GatewayFixture } from './support/gateway.js';
import { held, settlesBelow } from './support/held.js';
import { accessToken, ec, jwkOf, proof, rsa, seconds, thumbprint } from './support/mint.js';

const client = ec();
const jkt = thumbprint(client);
const GRACE = 5;
const TOTAL = 3600;
let ahead = 0;
let active = true;
let fixture: GatewayFixture;
let introspection: http.Server;
const text = { 'Content-Type': 'text/event-stream' };

beforeAll(async () => {
  introspection = http.createServer((message, response) =>
    message
      .resume()
      .on('end', () =>
        response.end(
          JSON.stringify({ active, ...(active ? { aud: `${ORIGIN}/opaque`, cnf: { jkt } } : {}) }),
        ),
      ),
  );
  await new Promise<void>((resolve) => introspection.listen(0, '127.0.0.1', resolve));
});
beforeEach(async () => {
  ahead = 0;
  active = true;
  fixture = await startFixture({
    clock: () => wallClock() + ahead,
    change: (config, { backendPort, dir }) => {
      config.upstream = { expiryGraceSeconds: GRACE, totalTimeoutSeconds: TOTAL, idleTimeoutSeconds: 1.2 };
      writeFileSync(join(dir, 'secret'), 'x');
      const asked = {
        url: `http://127.0.0.1:${(introspection.address() as net.AddressInfo).port}`,
        clientId: 'gw',
        clientSecret: { file: join(dir, 'secret') },
        cacheSeconds: 0,
      };
      config.issuers.push(
        { name: 'opaque', issuer: 'https://opaque.example', introspection: asked },
        {
          name: 'asked',
          issuer: 'https://asked.example',
          jwks: { file: join(dir, 'as.json') },
          introspection: { ...asked, always: true },
        },
      );
      for (const name of ['opaque', 'asked'])
        config.routes.push({
          kind: 'mcp',
          name,
          pathPrefix: `/${name}`,
          auth: { profile: 'dpop', issuers: [name] },
          backend: { url: `http://127.0.0.1:${backendPort}` },
        });
    },
  });
});
afterEach(() => fixture.stop());
afterAll(() => {
  introspection.closeAllConnections();
  introspection.close();
});

interface Reading {
  readonly got: () => string;
  readonly ended: Promise<'whole' | 'cut'>;
}
interface Ask {
  readonly method?: 'GET' | 'POST';
  readonly path?: string;
  readonly token?: string;
  /** Mcp-Method, which requests have since 2026-07-28. */
  readonly mcpMethod?: string;
}

/** Opens a stream and reads it; resolves with the header block. */
function open({
  method = 'GET',
  path = '/mcp',
  token = accessToken(fixture.as, { cnf: { jkt } }),
  mcpMethod,
}: Ask = {}): Promise<Reading> {
  return new Promise((resolve, reject) => {
    const headers = {
      authorization: `DPoP ${token}`,
      dpop: proof(client, method, ORIGIN + path, token, { claims: { iat: seconds() + ahead } }),
      ...(mcpMethod === undefined ? {} : { 'mcp-method': mcpMethod }),
    };
    http
      .request(
        { host: '127.0.0.1', port: fixture.gateway.port, method, path, headers, agent: false },
        (answer) => {
          if (answer.statusCode !== 200) return reject(new Error(`status ${answer.statusCode}`));
          let got = '';
          answer.on('data', (chunk: Buffer) => {
            got += chunk.toString();
          });
          resolve({
            got: () => got,
            ended: new Promise((done) => {
              answer.on('error', () => {}).on('close', () => done(answer.complete ? 'whole' : 'cut'));
            }),
          });
        },
      )
      .on('error', reject)
      .end();
  });
}
/** A backend that begins with `first`, goes on with a comment every 300 ms, and says whether its client left. */
function beats(first: string, headers: http.OutgoingHttpHeaders = text): { left: () => boolean } {
  let left = false;
  fixture.answer = (_, response) => {
    response.writeHead(200, headers).write(first);
    const timer = setInterval(() => {
      if (first.endsWith('\n')) response.write(': beat\n\n');
      else response.write('.');
    }, 300);
    response.on('close', () => {
      clearInterval(timer);
      left = true;
    });
  };
  return { left: () => left };
}
const lastOf = async () => (await fixture.audit()).at(-1)!;

describe('an event stream', () => {
  it('ends when its token has expired and the grace is over, with retry, and not before', async () => {
    const { left } = beats('data: one\n\n');
    const exp = seconds() + 100;
    const stream = await open({ token: accessToken(fixture.as, { cnf: { jkt }, exp }) });
    ahead = 100 + GRACE - 2; // past exp, within the grace
    await sleep(1_300);
    expect(left()).toBe(false);
    ahead = 100 + GRACE + 1;
    expect(await stream.ended).toBe('whole');
    expect(stream.got()).toMatch(/: ended by the gateway: token_expired\nretry: 1000\n$/);
    await sleep(50);
    expect(left()).toBe(true);
    expect(await lastOf()).toMatchObject({
      complete: false,
      ended: 'token_expired',
      'response.status': 200,
      'response.bytes': expect.any(Number),
    });
    expect((await fixture.admin('/metrics')).text).toContain(
      'agentgateway_answers_cut_short_total{route="mcp",cause="token_expired"} 1',
    );
  });
  it('ends when the key that signed its token leaves the set, and goes on when another one does', async () => {
    beats('data: one\n\n');
    const stream = await open();
    const set = (...pairs: [ReturnType<typeof rsa>, string][]) =>
      writeFileSync(
        join(fixture.dir, 'as.json'),
        JSON.stringify({
          keys: pairs.map(([pair, kid]) => ({ ...jwkOf(pair), kid, alg: 'RS256', use: 'sig' })),
        }),
      );
    set([fixture.as, 'as-1'], [rsa(), 'as-2']);
    expect(await Promise.race([stream.ended, sleep(2_500, 'open')])).toBe('open');
    set([rsa(), 'as-1']); // the same kid, another key
    expect(await stream.ended).toBe('whole');
    expect(await lastOf()).toMatchObject({ ended: 'token_withdrawn' });
  });
  it.each<[string, () => string]>([
    ['opaque', () => 'opaque-1'],
    [
      'asked',
      () => accessToken(fixture.as, { iss: 'https://asked.example', aud: `${ORIGIN}/asked`, cnf: { jkt } }),
    ],
  ])(
    'ends when the authorization server says that its token is not active any more: %s',
    async (name, token) => {
      beats('data: one\n\n');
      const stream = await open({ path: `/${name}`, token: token() });
      expect(await Promise.race([stream.ended, sleep(1_500, 'open')])).toBe('open');
      active = false;
      expect(await stream.ended).toBe('whole');
      expect(await lastOf()).toMatchObject({ ended: 'token_withdrawn' });
    },
  );
  it('ends at the total time that the config allows', async () => {
    beats('data: one\n\n');
    const stream = await open({
      token: accessToken(fixture.as, { cnf: { jkt }, exp: seconds() + 2 * TOTAL }),
    });
    ahead = TOTAL + 1;
    await stream.ended;
    expect(await lastOf()).toMatchObject({ ended: 'too_long' });
  });
  it('ends when its backend has been silent too long', async () => {
    fixture.answer = (_, response) => {
      response.writeHead(200, text).flushHeaders();
    };
    const stream = await open();
    expect(await stream.ended).toBe('whole');
    expect(stream.got()).toMatch(/: ended by the gateway: idle\n/);
  });
  it.each([
    ['between events', 'data: one\n\n', ['one']],
    ['in an event', 'data: one\n\ndata: tw', ['one']],
    ['in an event of several lines', 'data: one\n\ndata: two\ndata: three\n', ['one']],
  ])(
    'that ends %s hands its reader no event that was not whole, and the time to come again',
    async (_, first, want) => {
      fixture.answer = (__, response) => {
        response.writeHead(200, text).write(first);
      };
      const stream = await open();
      await stream.ended; // idle
      const events: string[] = [];
      let retry: number | undefined;
      createParser({
        onEvent: ({ data }) => events.push(data),
        onRetry: (ms) => {
          retry = ms;
        },
      }).feed(stream.got());
      expect(events).toEqual(want);
      expect(retry).toBe(1000);
    },
  );
  it('of a GET or subscriptions/listen ends at once when the gateway stops, that of a call ends itself', async () => {
    const other = await startFixture({
      change: (config) => {
        config.drainSeconds = 5;
      },
    });
    const before = fixture;
    fixture = other;
    try {
      let finish = () => {};
      other.answer = (message, response) => {
        response.writeHead(200, text).write('data: one\n\n');
        if (message.headers['mcp-method'] === 'tools/call') finish = () => response.end('data: result\n\n');
      };
      const post = (mcpMethod: string) => open({ method: 'POST', mcpMethod });
      const calling = await post('tools/call');
      const listening = [await open(), await post('subscriptions/listen')];
      const stopped = other.gateway.stop();
      for (const stream of listening) {
        expect(await stream.ended).toBe('whole');
        expect(stream.got()).toMatch(/shutdown\nretry: 1000\n$/);
      }
      finish();
      expect(await calling.ended).toBe('whole');
      expect(calling.got()).toBe('data: one\n\ndata: result\n\n');
      await stopped;
    } finally {
      await other.stop();
      fixture = before;
    }
  });
});

it('an answer that is no event stream is cut, not made to look whole', async () => {
  beats('{"a":', { 'Content-Type': 'application/json' });
  const stream = await open({ token: accessToken(fixture.as, { cnf: { jkt }, exp: seconds() + 100 }) });
  ahead = 100 + GRACE + 1;
  expect(await stream.ended).toBe('cut');
  expect(await lastOf()).toMatchObject({ ended: 'token_expired' });
});

describe('back-pressure', () => {
  const MIB = 1 << 20;
  const STREAMS = 8;
  const MEGABYTES = 48;
  const dripless = (head: string) =>
    new Promise<net.Socket>((resolve) => {
      const socket = net.connect(fixture.gateway.port, '127.0.0.1', () =>
        socket.write(head, () => resolve(socket)),
      );
      socket.on('error', () => {}).pause();
    });
  const headOf = (method: string, more = '') => {
    const token = accessToken(fixture.as, { cnf: { jkt } });
    return (
      `${method} /mcp HTTP/1.1\r\nHost: a\r\nAuthorization: DPoP ${token}\r\n` +
      `DPoP: ${proof(client, method, `${ORIGIN}/mcp`, token)}\r\n${more}\r\n`
    );
  };

  it(`holds at most 1 MiB of an answer that its client does not read, and gives the client up`, async () => {
    const block = Buffer.alloc(MIB, 'x');
    let written = 0;
    fixture.answer = (_, response) => {
      response.writeHead(200);
      let left = MEGABYTES;
      const more = () => {
        while (left > 0 && response.write(block)) {
          left -= 1;
          written += 1;
        }
        if (left > 0) {
          left -= 1;
          written += 1;
          response.once('drain', more);
        }
      };
      more();
    };
    const before = held();
    const sockets = await Promise.all(Array.from({ length: STREAMS }, () => dripless(headOf('GET'))));
    await sleep(700);
    expect(written).toBeLessThan(STREAMS * MEGABYTES); // it was slowed down
    await settlesBelow(STREAMS * MIB, before);
    for (let i = 0; i < 40 && (await fixture.audit()).length < STREAMS; i++) await sleep(100);
    expect((await fixture.audit()).map(({ ended }) => ended)).toEqual(Array(STREAMS).fill('idle'));
    for (const socket of sockets) socket.destroy();
  }, 15_000);
  it('holds at most 1 MiB of a body that its backend does not read', async () => {
    const unread: net.Socket[] = [];
    const backend = net.createServer({ pauseOnConnect: true }, (socket) => {
      unread.push(socket.on('error', () => {}));
    });
    await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
    const stalled = await startFixture({
      change: (config) => {
        config.limits = { maxBodyBytes: 1 << 30 };
        (config.routes[0]!.backend as { url: string }).url =
          `http://127.0.0.1:${(backend.address() as net.AddressInfo).port}`;
      },
    });
    const before = fixture;
    fixture = stalled;
    const start = held();
    const block = Buffer.alloc(MIB, 'x');
    const sockets = await Promise.all(
      Array.from({ length: STREAMS }, () =>
        dripless(headOf('POST', `Content-Length: ${MEGABYTES * MIB}\r\n`)),
      ),
    );
    let accepted = 0;
    for (const socket of sockets)
      for (let i = 0; i < MEGABYTES; i++)
        socket.write(block, () => {
          accepted += 1;
        });
    await sleep(700);
    expect(accepted).toBeLessThan(STREAMS * MEGABYTES);
    await settlesBelow(STREAMS * MIB, start);
    for (const socket of sockets) socket.destroy();
    fixture = before;
    await stalled.stop();
    for (const socket of unread) socket.destroy();
    await new Promise((resolve) => backend.close(resolve));
  }, 15_000);
});
