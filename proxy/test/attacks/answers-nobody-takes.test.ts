/**
 * The attack: clients ask for answers and do not take them, over HTTP/2 with a window of zero, over HTTP/1.1 by not
 * reading. Each held its backend's connection for five minutes; eleven clients of HTTP/2 could hold all of them.
 */
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ORIGIN, startFixture, type GatewayFixture } from '../support/gateway.js';
import {
  ask as askHttp2,
  block,
  FLAG,
  frame,
  FRAME,
  makeCertificate,
  rawClient,
  request,
  session,
} from '../support/http2.js';
import { accessToken, ec, proof, thumbprint, type Pair } from '../support/mint.js';

const [attacker, honest] = [ec(), ec()];
const SOCKETS = 4;
/** More than the sockets between backend and client hold. */
const LARGE = Buffer.alloc(16 * 2 ** 20, 'x');
/** RFC 9113 6.5.2: SETTINGS_INITIAL_WINDOW_SIZE, 0. */
const NO_WINDOW = Buffer.from([0, 4, 0, 0, 0, 0]);

const credentials = (fixture: GatewayFixture, key: Pair): [string, string][] => {
  const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(key) } });
  return [
    ['authorization', `DPoP ${token}`],
    ['dpop', proof(key, 'POST', `${ORIGIN}/mcp`, token)],
  ];
};

const start = async (tls: boolean, answerIdleTimeoutSeconds: number, answer: Buffer) => {
  const fixture = await startFixture({
    change: (config, { dir }) => {
      config.upstream = { maxSockets: SOCKETS };
      config.limits = { answerIdleTimeoutSeconds };
      if (tls) config.listen = { ...config.listen, tls: makeCertificate(dir, 'gw') };
    },
  });
  fixture.answer = (_, response, body) =>
    void response
      .writeHead(200, { 'Content-Length': body === 'small' ? 2 : answer.length })
      .end(body === 'small' ? 'ok' : answer);
  return fixture;
};

/** So many requests whose answers are not read. */
async function attack(fixture: GatewayFixture, tls: boolean): Promise<() => void> {
  if (tls) {
    const client = await rawClient(fixture.gateway.port, NO_WINDOW);
    client.socket.removeAllListeners('error').on('error', () => {});
    for (let i = 0; i < SOCKETS; i++)
      client.write(
        frame(
          FRAME.HEADERS,
          FLAG.END_STREAM | FLAG.END_HEADERS,
          2 * i + 1,
          block(request('POST', '/mcp', credentials(fixture, attacker))),
        ),
      );
    return () => client.socket.destroy();
  }
  const sockets = Array.from({ length: SOCKETS }, () => {
    const fields = credentials(fixture, attacker).map(([name, value]) => `${name}: ${value}\r\n`);
    const socket = net.connect(fixture.gateway.port, '127.0.0.1');
    socket.on('error', () => {}).pause();
    socket.write(`POST /mcp HTTP/1.1\r\nHost: gw.example\r\nContent-Length: 0\r\n${fields.join('')}\r\n`);
    return socket;
  });
  return () => {
    for (const socket of sockets) socket.destroy();
  };
}

/** How the requests ended, once all have. */
async function audited(fixture: GatewayFixture): Promise<unknown[]> {
  for (let i = 0; i < 100; i++) {
    const text = readFileSync(`${fixture.dir}/audit.jsonl`, 'utf8');
    if (text.split('\n').length > SOCKETS) break;
    await sleep(100);
  }
  const lines = await fixture.audit();
  return lines.map(({ ended }) => ended);
}

describe.each([
  ['HTTP/1.1', false],
  ['HTTP/2', true],
])('over %s', (_, tls) => {
  it('an answer that its client does not take ends', async () => {
    const fixture = await start(tls, 1, LARGE);
    const leave = await attack(fixture, tls);
    try {
      const lines = await audited(fixture);
      expect(lines).toEqual(Array(SOCKETS).fill('client_stalled'));
      expect((await fixture.admin('/metrics')).text).toMatch(/^agentgateway_active_connections\{.*\} 0$/m);
    } finally {
      leave();
      await fixture.stop();
    }
  }, 30_000);

  it('it ends at once when others wait for its connection: their requests are answered', async () => {
    const fixture = await start(tls, 600, LARGE);
    const leave = await attack(fixture, tls);
    try {
      await sleep(1_200);
      const headers = Object.fromEntries(credentials(fixture, honest));
      const ask = { method: 'POST', path: '/mcp', headers, body: 'small' };
      const client = tls ? session(fixture.gateway.port, `${fixture.dir}/gw.crt`) : undefined;
      const { status } = client === undefined ? await fixture.ask(ask) : await askHttp2(client, ask);
      client?.destroy();
      expect(status).toBe(200);
    } finally {
      leave();
      await fixture.stop();
    }
  }, 30_000);
});

it('a small answer that no window of HTTP/2 lets out ends too', async () => {
  const fixture = await start(true, 1, Buffer.from('a few bytes'));
  const leave = await attack(fixture, true);
  try {
    expect(await audited(fixture)).toEqual(Array(SOCKETS).fill('client_stalled'));
  } finally {
    leave();
    await fixture.stop();
  }
}, 30_000);
