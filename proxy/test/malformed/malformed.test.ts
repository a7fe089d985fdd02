/**
 * The corpus on raw sockets, in front of a backend that records every byte: no request in a request, no crash,
 * and the next client is served.
 */
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ORIGIN, startFixture, type GatewayFixture } from '../support/gateway.js';
import { accessToken, ec, proof, thumbprint } from '../support/mint.js';
import { CORPUS, type Malformed } from './corpus.js';

const client = ec();
let fixture: GatewayFixture;
let backend: net.Server;
/** All that reached the backend, by connection. */
let received: string[];

beforeAll(async () => {
  backend = net.createServer((socket) => {
    const at = received.push('') - 1;
    socket
      .on('error', () => {})
      .on('data', (chunk) => {
        received[at] += chunk.toString('latin1');
        const end = received[at]!.indexOf('\r\n\r\n');
        const [head, body] = end === -1 ? [''] : [received[at]!.slice(0, end), received[at]!.slice(end + 4)];
        const whole =
          body !== undefined &&
          (/transfer-encoding: chunked/i.test(head)
            ? body.endsWith('0') || received[at]!.endsWith('0\r\n\r\n')
            : body.length >= Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0));
        if (whole) socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}');
      });
  });
  await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
  fixture = await startFixture({
    change: (config) => {
      config.limits = { maxBodyBytes: 1000 };
      for (const route of config.routes)
        (route.backend as { url: string }).url =
          `http://127.0.0.1:${(backend.address() as net.AddressInfo).port}`;
    },
  });
});
beforeEach(() => {
  received = [];
});
afterAll(async () => {
  await fixture.stop();
  await new Promise((resolve) => backend.close(resolve));
});

const credentials = (method = 'POST') => {
  const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) } });
  return `Authorization: DPoP ${token}\r\nDPoP: ${proof(client, method, `${ORIGIN}/mcp`, token)}\r\n`;
};
const withCredentials = (bytes: string) => {
  const method = bytes.split(' ', 1)[0];
  return bytes
    .replace('§', () => `Host: gw.example\r\n${credentials(method)}`)
    .replace('¤', () => credentials(method));
};
/** An answer may take this long on a loaded machine. */
const ANSWER_MS = 5000;
/** After the expected answers: one that should not come would be there by now. */
const QUIET_MS = 120;
/**
 * Sends, and reads until the other side closes, or until the statuses are one of the expected lists and nothing more
 * comes, or until an answer is overdue.
 * @param expected each a list of the statuses that may come back; empty: none
 */
const converse = (bytes: string, expected: Malformed['answers']) =>
  new Promise<number[]>((resolve) => {
    let got = '';
    const statuses = () => [...got.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
    const end = () => {
      clearTimeout(timer);
      socket.destroy();
      resolve(statuses());
    };
    const wait = () => {
      const now = String(statuses());
      return setTimeout(end, expected.some((list) => String(list) === now) ? QUIET_MS : ANSWER_MS);
    };
    let timer = wait();
    const socket = net.connect(fixture.gateway.port, '127.0.0.1', () => socket.write(bytes, 'latin1'));
    socket
      .on('data', (chunk) => {
        got += chunk.toString('latin1');
        clearTimeout(timer);
        timer = wait();
      })
      .on('error', end)
      .on('close', end);
  });
/** Sends what has exactly one right conversation. */
const expectConversation = async (bytes: string, statuses: readonly number[]) =>
  expect(await converse(bytes, [statuses])).toEqual(statuses);
/** Of one connection: what a strict reader finds in it. */
const requestsIn = (bytes: string) =>
  [...bytes.matchAll(/^(?:GET|POST|DELETE|[A-Z]+) \S+ HTTP\/1\.1\r?$/gm)].map(([first]) => first.trim());

it('the corpus has no two cases of one name in a clause, and many', () => {
  expect(new Set(CORPUS.map(({ clause, name }) => `${clause} ${name}`)).size).toBe(CORPUS.length);
  expect(CORPUS.length).toBeGreaterThan(80);
});

it.each(CORPUS.map((c) => [c.clause, c.name, c] as const))('%s: %s', async (_, __, { bytes, answers }) => {
  const warnings = fixture.warnings.length;
  const statuses = await converse(withCredentials(bytes), answers);
  expect(answers).toContainEqual(statuses);
  await sleep(10);
  const reached = received.flatMap(requestsIn);
  expect(reached.length).toBeLessThanOrEqual(1);
  expect(received.join('')).not.toContain('smuggled');
  if (statuses[0] === 400) expect(reached.every((first) => first === 'POST /mcp HTTP/1.1')).toBe(true);
  // Refused for its header block: nothing of it went on.
  if (answers.every((conversation) => conversation.every((status) => status === 400)))
    expect(received).toEqual([]);
  expect(fixture.warnings.slice(warnings)).toEqual([]);
});

it('and after all of it a good request is served, as one request', async () => {
  await expectConversation(withCredentials('POST /mcp HTTP/1.1\r\n§Content-Length: 2\r\n\r\n{}'), [200]);
  expect(received.flatMap(requestsIn)).toEqual(['POST /mcp HTTP/1.1']);
});

describe('a request in a body', () => {
  const inner = 'GET /smuggled HTTP/1.1\r\nHost: gw.example\r\n\r\n';
  it.each([
    ['with a length', `Content-Length: ${inner.length}\r\n\r\n${inner}`],
    ['in a chunk', `Transfer-Encoding: chunked\r\n\r\n${inner.length.toString(16)}\r\n${inner}\r\n0\r\n\r\n`],
  ])('%s stays in it', async (_, rest) => {
    await expectConversation(withCredentials(`POST /mcp HTTP/1.1\r\n§${rest}`), [200]);
    expect(received).toHaveLength(1);
    expect(received[0]).toContain(inner); // as content, behind a length or in a chunk
  });
  it('that was refused is not taken for the next request', async () => {
    await expectConversation(
      `POST /mcp HTTP/1.1\r\nHost: gw.example\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`,
      [401],
    );
    expect(received).toEqual([]);
  });
  it('behind a GET without a length is a request of its own, and needs credentials of its own', async () => {
    await expectConversation(
      withCredentials(
        `GET /mcp HTTP/1.1\r\n§\r\nPOST /mcp HTTP/1.1\r\nHost: gw.example\r\nContent-Length: 0\r\n\r\n`,
      ),
      [200, 401],
    );
    expect(received.flatMap(requestsIn)).toEqual(['GET /mcp HTTP/1.1']);
  });
});

describe('bounds, and one beyond', () => {
  const head = (lines: string) => withCredentials(`POST /mcp HTTP/1.1\r\n§${lines}\r\n`);
  it.each([
    [8192, 200],
    [8193, 414],
  ])('a target of %d bytes: %d', async (length, status) => {
    const target = `/mcp?${'a'.repeat(length - 5)}`;
    await expectConversation(
      `POST ${target} HTTP/1.1\r\nHost: gw.example\r\n${credentials()}Content-Length: 0\r\n\r\n`,
      [status],
    );
  });
  it.each([
    [100, 200],
    [101, 431],
  ])('%d fields: %d', async (count, status) => {
    await expectConversation(
      head(`Content-Length: 0\r\n${Array.from({ length: count - 4 }, (_, i) => `X-${i}: 1\r\n`).join('')}`),
      [status],
    );
  });
  it.each([
    [1000, 200],
    [1001, 413],
  ])('a body of %d bytes: %d', async (length, status) => {
    await expectConversation(`${head(`Content-Length: ${length}\r\n`)}${'x'.repeat(length)}`, [status]);
    await expectConversation(
      `${head('Transfer-Encoding: chunked\r\n')}${length.toString(16)}\r\n${'x'.repeat(length)}\r\n0\r\n\r\n`,
      [status],
    );
  });
  it('a header block beyond 16 KiB: 431', async () => {
    await expectConversation(head(`Content-Length: 0\r\nX-A: ${'a'.repeat(14_000)}\r\n`), [200]);
    await expectConversation(head(`Content-Length: 0\r\nX-A: ${'a'.repeat(16_384)}\r\n`), [431]);
  });
});
