/** Forged proofs that arrive together: an address costs no more verifications than it has refusals left. */
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ORIGIN, startFixture } from './support/gateway.js';
import { accessToken, ec, proof, thumbprint } from './support/mint.js';

it('sixty at once, of an address with five refusals: five are verified, the others are turned away', async () => {
  const client = ec();
  const fixture = await startFixture({
    change: (config) => {
      config.limits = { refusalsPerAddress: { maxTokens: 5, tokensPerSecond: 1 } };
    },
  });
  try {
    const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) } });
    const forged = () => {
      const [head, claims] = proof(client, 'POST', `${ORIGIN}/mcp`, token).split('.');
      return `${head}.${claims}.${'A'.repeat(86)}`;
    };
    const lines = Array.from(
      { length: 60 },
      () =>
        `POST /mcp HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: DPoP ${token}\r\n` +
        `DPoP: ${forged()}\r\n\r\n`,
    );
    const sockets = await Promise.all(
      lines.map(
        () =>
          new Promise<net.Socket>((resolve) => {
            const socket = net.connect(fixture.gateway.port, '127.0.0.1', () => resolve(socket));
          }),
      ),
    );
    await sleep(200); // until all of them are accepted, one in a turn of the event loop
    await Promise.all(
      sockets.map(
        (socket, i) =>
          new Promise((resolve) => {
            socket.resume().on('close', resolve).write(lines[i]!);
          }),
      ),
    );
    const reasons = (await fixture.audit()).map(({ reason }) => reason);
    expect(reasons.filter((reason) => reason === 'dpop_signature_bad')).toHaveLength(5);
    expect(reasons.filter((reason) => reason === 'address_limited')).toHaveLength(55);
    expect(fixture.seen).toEqual([]);
  } finally {
    await fixture.stop();
  }
});
