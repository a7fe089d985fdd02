/**
 * The attack: one address sends made-up opaque tokens, each with a sound proof of its own key. Each costs a question to
 * the authorization server, which takes its time: all places for questions were taken, and users on other addresses
 * were refused. With one such token on many connections, all of them waited for one answer, with what they had sent.
 */
import http from 'node:http';
import type { SecureClientSessionOptions } from 'node:http2';
import { join } from 'node:path';
import { ORIGIN, startFixture, type GatewayFixture } from '../support/gateway.js';
import { ask as askHttp2, session } from '../support/http2.js';
import { introspectionAt } from '../support/introspection.js';
import { ec, proof, thumbprint } from '../support/mint.js';
import { until } from '../support/until.js';

const [attacker, victim] = [ec(), ec()];
const GOOD = 'a-real-token';

let server: http.Server;
let fixture: GatewayFixture;
let asked: string[];
/** Answers about made-up tokens, all at once. */
let release: () => void;
describe.each([1, 2])('over HTTP/%d', (version) => {
  beforeEach(async () => {
    asked = [];
    const released = new Promise<void>((resolve) => (release = resolve));
    server = http.createServer((message, response) => {
      let form = '';
      message.on('data', (chunk: Buffer) => (form += chunk.toString()));
      message.on('end', () => {
        const token = new URLSearchParams(form).get('token')!;
        asked.push(token);
        const claims = { active: true, sub: 'user', aud: `${ORIGIN}/mcp`, cnf: { jkt: thumbprint(victim) } };
        const said = token === GOOD ? claims : { active: false };
        if (token === GOOD) response.end(JSON.stringify(said));
        else void released.then(() => response.end(JSON.stringify(said)));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    fixture = await startFixture({
      http2: version === 2,
      change: (config, { dir }) => {
        config.issuers.push({
          name: 'opaque',
          issuer: 'https://opaque.example',
          introspection: { ...introspectionAt(server, dir), timeoutSeconds: 20 },
        });
        config.routes[0]!.auth = { profile: 'dpop', issuers: ['opaque'], audiences: [`${ORIGIN}/mcp`] };
        config.limits = { refusalsPerAddress: { maxTokens: 120, tokensPerSecond: 1 } };
      },
    });
  });
  afterEach(async () => {
    release();
    await fixture.stop();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const ask = (localAddress: string, key: typeof attacker, token: string) => {
    const headers = { authorization: `DPoP ${token}`, dpop: proof(key, 'POST', `${ORIGIN}/mcp`, token) };
    return version === 2 ? askOverHttp2(localAddress, headers) : askOverHttp1(localAddress, headers);
  };
  async function askOverHttp2(localAddress: string, headers: Record<string, string>) {
    const own = session(fixture.gateway.port, join(fixture.dir, 'fixture.crt'), undefined, {
      localAddress,
    } as SecureClientSessionOptions);
    const { status } = await askHttp2(own, { method: 'POST', path: '/mcp', headers });
    own.destroy();
    return status;
  }
  const askOverHttp1 = (localAddress: string, headers: Record<string, string>) =>
    new Promise<number | undefined>((resolve) => {
      http
        .request({
          port: fixture.gateway.port,
          host: '127.0.0.1',
          localAddress,
          method: 'POST',
          path: '/mcp',
          headers,
          agent: false,
        })
        .on('response', (answer) => resolve(answer.resume().statusCode))
        .on('error', () => resolve(undefined))
        .end();
    });

  /** So many at once; `answers` has what was answered so far. */
  function flood(count: number, tokenOf: (n: number) => string) {
    const answers: (number | undefined)[] = [];
    const all = Array.from({ length: count }, (_, n) =>
      ask('127.0.0.1', attacker, tokenOf(n)).then((status) => answers.push(status)),
    );
    const given = (status: number) => answers.filter((got) => got === status).length;
    return { answers, count: given, all: Promise.all(all) };
  }

  /** Within fifteen seconds. */

  it('many made-up tokens of one address leave places for another, and what is refused counts against it', async () => {
    const { answers, count, all } = flood(200, (n) => `made-up-${n}`);
    await until(() => answers.length === 200 - 32); // half of the 64 places are its share
    expect(await ask('127.0.0.2', victim, GOOD)).toBe(200);
    expect(asked.filter((token) => token !== GOOD)).toHaveLength(32);
    expect(count(503)).toBeGreaterThanOrEqual(120); // 120 refusals were its bound
    expect(count(429)).toBeGreaterThan(20);
    release();
    await all;
    expect(count(401)).toBe(32);
  }, 30_000);

  it('one made-up token on many connections: a bounded number of them waits', async () => {
    const { answers, count, all } = flood(200, () => 'made-up');
    await until(() => answers.length === 200 - 128); // half of the 256 places are its share
    expect(asked).toEqual(['made-up']);
    expect(await ask('127.0.0.2', victim, GOOD)).toBe(200);
    release();
    await all;
    expect(count(401)).toBe(128);
  }, 30_000);
});
