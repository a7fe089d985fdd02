/** Clusters speak IPv4, IPv6 or both: a gateway that is told no address answers in every family that its kernel has. */
import http from 'node:http';
import { networkInterfaces } from 'node:os';
import { listen } from '../src/http/listen.js';
import { startFixture, type GatewayFixture } from './support/gateway.js';

const hasIpv6 = Object.values(networkInterfaces()).some((each) =>
  each?.some(({ address }) => address === '::1'),
);
const LOOPBACKS = hasIpv6 ? ['127.0.0.1', '[::1]'] : ['127.0.0.1'];

describe('a gateway that is told no address to listen on', () => {
  let fixture: GatewayFixture;
  let ports: { traffic: number; admin: number };
  beforeAll(async () => {
    fixture = await startFixture({
      change: (config) => {
        delete config.listen!.host;
        delete config.admin!.host;
        ports = { traffic: config.listen!.port!, admin: config.admin!.port! };
      },
    });
  });
  afterAll(() => fixture.stop());

  it.each(LOOPBACKS)('answers clients and probes at %s', async (host) => {
    const statuses = [`${ports.traffic}/healthz`, `${ports.admin}/livez`, `${ports.admin}/readyz`].map(
      async (place) => (await fetch(`http://${host}:${place}`)).status,
    );
    expect(await Promise.all(statuses)).toEqual([200, 200, 200]);
  });

  it('knows a client over IPv4 by its IPv4 address, which limits and trusted peers go by', async () => {
    expect((await fetch(`http://127.0.0.1:${ports.traffic}/mcp`, { method: 'POST' })).status).toBe(401);
    const [line] = (await fixture.audit()).slice(-1);
    expect(Object.values(line!)).toContain('127.0.0.1');
    expect(JSON.stringify(line)).not.toContain('::ffff');
  });
});

it.each(LOOPBACKS)('threads that share a port share it at %s too', async (host) => {
  const answer = (text: string) => http.createServer((_, response) => response.end(text));
  const [one, other] = [answer('one'), answer('other')];
  const port = await listen(one, { port: 0, reusePort: true });
  await listen(other, { port, reusePort: true });
  try {
    expect(['one', 'other']).toContain(await (await fetch(`http://${host}:${port}/`)).text());
  } finally {
    for (const server of [one, other]) {
      server.closeAllConnections();
      server.close();
    }
  }
});
