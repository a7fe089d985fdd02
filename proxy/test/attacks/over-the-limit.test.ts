/**
 * The attack: a caller who has used up the rate limit of a route goes on sending, each time a sound proof and megabytes
 * of body. The limit was counted after the body was read, checked and its proof claimed, so a refusal cost the gateway
 * as much as an answer; and whoever was told to come later had spent a proof.
 */
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ORIGIN, startFixture, type GatewayFixture } from '../support/gateway.js';
import { begin as beginHttp2, answerOf, makeCertificate, session } from '../support/http2.js';
import { accessToken, ec, proof, thumbprint } from '../support/mint.js';

const BODY = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
const LIMIT = { maxTokens: 3, tokensPerFill: 1, fillIntervalSeconds: 3600 };
const client = ec();

const credentials = (fixture: GatewayFixture, path = '/mcp') => {
  const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) } });
  return { authorization: `DPoP ${token}`, dpop: proof(client, 'POST', ORIGIN + path, token) };
};
type Headers = Record<string, string>;
interface Transport {
  /** Sends the header block and this much of the body; the status of the answer, which may come before the rest. */
  readonly ask: (headers: Headers, body: string | undefined, path?: string) => Promise<number>;
  readonly close: () => void;
}

const overHttp1 = ({ gateway }: GatewayFixture): Transport => ({
  ask: (headers, body, path = '/mcp') =>
    new Promise((resolve, reject) => {
      const socket = net.connect(gateway.port, '127.0.0.1');
      const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
      const length = body === undefined ? 4_000_000 : body.length;
      socket
        .on('error', reject)
        .once('data', (chunk: Buffer) => {
          resolve(Number(chunk.toString().slice(9, 12)));
          socket.destroy();
        })
        .write(
          `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n${lines.join('')}\r\n${body ?? ''}`,
        );
    }),
  close: () => {},
});

function overHttp2({ gateway }: GatewayFixture, caFile: string): Transport {
  const own = session(gateway.port, caFile);
  return {
    async ask(headers, body, path = '/mcp') {
      const stream = beginHttp2(
        own,
        { method: 'POST', path, headers, ...(body === undefined ? {} : { body }) },
        false,
      );
      return (await answerOf(stream)).status ?? 0;
    },
    close: () => own.destroy(),
  };
}

describe.each([1, 2])('a caller over its limit, HTTP/%d', (version) => {
  let fixture: GatewayFixture;
  let transport: Transport;
  beforeEach(async () => {
    let caFile = '';
    fixture = await startFixture({
      change: (config, { dir }) => {
        const [mcp] = config.routes as [(typeof config.routes)[number]];
        const pair = makeCertificate(dir, 'edge');
        caFile = pair.certFile;
        if (version === 2) config.listen = { ...config.listen, tls: pair };
        const ruled = { ...mcp, allow: [{ method: 'tools/list' }], rateLimit: LIMIT } as typeof mcp;
        config.routes = [
          ruled,
          {
            ...ruled,
            name: 'lax',
            pathPrefix: '/lax',
            auth: { ...mcp.auth, mode: 'permissive' },
          },
        ];
      },
    });
    transport = version === 2 ? overHttp2(fixture, caFile) : overHttp1(fixture);
  });
  afterEach(async () => {
    transport.close();
    await fixture.stop();
  });

  it('is refused before a byte of its body came, with its proof unspent; each request counts once', async () => {
    for (let i = 0; i < LIMIT.maxTokens; i++)
      expect(await transport.ask(credentials(fixture), BODY)).toBe(200);
    const late = credentials(fixture);
    expect(await transport.ask(late, undefined)).toBe(429);
    expect(await transport.ask(late, BODY)).toBe(429); // and not: used before
    expect((await fixture.audit()).map(({ reason }) => reason)).toEqual([
      ...Array<string>(LIMIT.maxTokens).fill('ok'),
      'rate_limited',
      'rate_limited',
    ]);
  });

  it('gets no more bodies read at once than its limit lets in', async () => {
    const statuses: number[] = [];
    for (let i = 0; i < 2 * LIMIT.maxTokens; i++)
      transport.ask(credentials(fixture), undefined).then(
        (status) => statuses.push(status),
        () => {}, // of the three that are waited for, at the end
      );
    for (let i = 0; i < 100 && statuses.length < LIMIT.maxTokens; i++) await sleep(20);
    expect(statuses).toEqual(Array(LIMIT.maxTokens).fill(429));
  });

  it.each(['/mcp', '/lax'])('loses nothing by copies of a used proof, on %s', async (path) => {
    const used = credentials(fixture, path);
    expect(await transport.ask(used, BODY, path)).toBe(200);
    for (let i = 0; i < 5; i++) await transport.ask(used, BODY, path);
    const statuses = [];
    for (let i = 0; i < LIMIT.maxTokens; i++)
      statuses.push(await transport.ask(credentials(fixture, path), BODY, path));
    expect(statuses).toEqual([200, 200, 429]);
  });
});
