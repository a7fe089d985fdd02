/**
 * The attack: one caller opens event streams, which cost it nothing and never end, until all connections to the
 * backend are in use. Everybody else's requests then waited for a minute and were told that the backend had not
 * answered, with their proofs spent.
 */
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { ORIGIN, startFixture, type GatewayFixture } from '../support/gateway.js';
import { ask as askHttp2, makeCertificate, session } from '../support/http2.js';
import { accessToken, ec, proof, thumbprint, type Pair } from '../support/mint.js';
import { until } from '../support/until.js';

const STREAMS = 8;
const [attacker, honest] = [ec(), ec()];

const credentials = (fixture: GatewayFixture, key: Pair, method: string) => {
  const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(key) } });
  return {
    authorization: `DPoP ${token}`,
    dpop: proof(key, method, `${ORIGIN}/mcp`, token),
    accept: 'text/event-stream',
  };
};

/** Within ten seconds. */

const start = async (tls: boolean) => {
  const fixture = await startFixture({
    change: (config, { dir }) => {
      config.upstream = { maxSockets: 2, maxStreams: STREAMS, maxQueued: 2, maxQueueSeconds: 1 };
      if (tls) config.listen = { ...config.listen, tls: makeCertificate(dir, 'gw') };
    },
  });
  fixture.answer = (message, response) => {
    if (message.method !== 'GET') return void response.writeHead(200).end('done');
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: 1\n\n');
  };
  return fixture;
};

/** A client of HTTP/1.1 or of HTTP/2 that opens streams and asks. */
function clientOf(fixture: GatewayFixture, tls: boolean) {
  const opened = tls ? session(fixture.gateway.port, `${fixture.dir}/gw.crt`) : undefined;
  return {
    open(key: Pair): { readonly text: () => string; readonly status: () => number | undefined } {
      let [text, status]: [string, number | undefined] = ['', undefined];
      const hear = (chunk: Buffer) => {
        text += chunk.toString();
      };
      if (opened === undefined) {
        const options = {
          port: fixture.gateway.port,
          path: '/mcp',
          headers: credentials(fixture, key, 'GET'),
        };
        http
          .get({ ...options, agent: false }, (answer) => {
            status = answer.statusCode;
            answer.on('data', hear).on('error', () => {});
          })
          .on('error', () => {});
      } else {
        opened
          .request({ ':path': '/mcp', ...credentials(fixture, key, 'GET') })
          .on('response', (head) => {
            status = head[':status'];
          })
          .on('data', hear)
          .on('error', () => {});
      }
      return { text: () => text, status: () => status };
    },
    post: (key: Pair) => {
      const ask = { method: 'POST', path: '/mcp', headers: credentials(fixture, key, 'POST'), body: '{}' };
      return opened === undefined ? fixture.ask(ask) : askHttp2(opened, ask);
    },
    close: () => opened?.destroy(),
  };
}

describe.each([
  ['HTTP/1.1', false],
  ['HTTP/2', true],
])('over %s', (_, tls) => {
  it('streams keep nobody waiting, and whoever has most of them makes room for others', async () => {
    const fixture = await start(tls);
    const client = clientOf(fixture, tls);
    try {
      const held = Array.from({ length: STREAMS }, () => client.open(attacker));
      await until(() => held.every(({ status }) => status() === 200));
      expect((await client.post(honest)).status).toBe(200);

      const more = client.open(attacker);
      await until(() => more.status() === 503); // it has all of them: no more, and at once
      const other = client.open(honest);
      await until(() => other.status() === 200);
      const ended = () =>
        held.filter(({ text }) => text().includes('ended by the gateway: made_room')).length;
      await until(() => ended() === 1);
      expect(readFileSync(`${fixture.dir}/audit.jsonl`, 'utf8')).not.toContain('upstream_timeout');
    } finally {
      client.close();
      await fixture.stop();
    }
  }, 30_000);

  it('answers to POST that turn out to be streams are counted with them', async () => {
    const fixture = await start(tls);
    fixture.answer = (_message, response, body) => {
      if (body === 'quick') return void response.writeHead(200).end('done');
      response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: 1\n\n');
    };
    const client = clientOf(fixture, tls);
    try {
      // More than maxSockets: each leaves its connection to the next when its answer begins.
      for (let i = 0; i < STREAMS + 2; i++) {
        void client.post(attacker).catch(() => {});
        await until(() => fixture.seen.length === i + 1);
        await sleep(20);
      }
      expect((await fixture.admin('/metrics')).text).toContain(`agentgateway_open_streams ${STREAMS}`);
      const headers = credentials(fixture, honest, 'POST');
      const ask = { method: 'POST', path: '/mcp', headers, body: 'quick' };
      const answer = tls
        ? await askHttp2(session(fixture.gateway.port, `${fixture.dir}/gw.crt`), ask)
        : await fixture.ask(ask);
      expect(answer.status).toBe(200);
    } finally {
      client.close();
      await fixture.stop();
    }
  }, 30_000);
});
