/**
 * A proof that was used is refused when it is claimed, which comes after the body was read and checked: 27 requests of
 * 4.2 MB with one used proof took the event loop for eight seconds. And what was refused for its body was counted for
 * nobody, so it could go on like that.
 */
import net from 'node:net';
import { join } from 'node:path';
import { ORIGIN, startFixture, type GatewayFixture } from '../support/gateway.js';
import { answerOf, begin, session } from '../support/http2.js';
import { accessToken, ec, proof, thumbprint } from '../support/mint.js';

const BODY = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
const client = ec();
let fixture: GatewayFixture;
describe.each([1, 2])('over HTTP/%d', (version) => {
  beforeEach(async () => {
    fixture = await startFixture({
      http2: version === 2,
      change: (config) => {
        const { routes } = config;
        config.limits = { refusalsPerAddress: { maxTokens: 20, tokensPerSecond: 1 } };
        routes[0] = { ...routes[0]!, allow: [{ method: 'tools/list' }] } as (typeof routes)[0];
      },
    });
  });
  afterEach(() => fixture.stop());

  const credentials = () => {
    const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) } });
    return { authorization: `DPoP ${token}`, dpop: proof(client, 'POST', `${ORIGIN}/mcp`, token) };
  };
  const ask = (headers: Record<string, string>, body: string) =>
    fixture.ask({ method: 'POST', path: '/mcp', headers, body });

  it('a used proof is refused before its body is there', async () => {
    const headers = credentials();
    expect((await ask(headers, BODY)).status).toBe(200);
    if (version === 2) {
      const own = session(fixture.gateway.port, join(fixture.dir, 'fixture.crt'));
      const { status, text } = await answerOf(begin(own, { method: 'POST', path: '/mcp', headers }, false));
      own.destroy();
      expect([status, text]).toEqual([401, expect.stringContaining('invalid_dpop_proof')]);
      expect((await fixture.audit()).map(({ reason }) => reason)).toEqual(['ok', 'dpop_replayed']);
      return;
    }
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const socket = net.connect(fixture.gateway.port, '127.0.0.1');
    // Not a byte of the body.
    socket.write(`POST /mcp HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000\r\n${lines.join('')}\r\n`);
    const answer = await new Promise<string>((resolve) => {
      socket.once('data', (chunk: Buffer) => resolve(chunk.toString()));
    });
    socket.destroy();
    expect(answer).toMatch(/^HTTP\/1.1 401 [^]*invalid_dpop_proof/);
    expect((await fixture.audit()).map(({ reason }) => reason)).toEqual(['ok', 'dpop_replayed']);
  });

  it('what is refused for its body counts for its address', async () => {
    const headers = credentials();
    const answers = [];
    for (let i = 0; i < 40; i++) answers.push((await ask(headers, '[]')).status);
    expect(answers.slice(0, 20)).toEqual(Array<number>(20).fill(400));
    expect(answers).toContain(429);
  }, 20_000);
});
