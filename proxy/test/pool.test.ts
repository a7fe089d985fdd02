/** Connections to one backend: who waits for one, and whom they trust. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, ORIGIN, startFixture, type GatewayFixture } from './support/gateway.js';
import { accessToken, ec, proof, thumbprint } from './support/mint.js';

const client = ec();
const ask = (fixture: GatewayFixture) => {
  const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) } });
  return fixture.ask({
    method: 'POST',
    path: '/mcp',
    headers: { authorization: `DPoP ${token}`, dpop: proof(client, 'POST', `${ORIGIN}/mcp`, token) },
  });
};

it('whoever has been answered does not wait any more: the place is free', async () => {
  const fixture = await startFixture({
    change: (config) => {
      config.upstream = { maxSockets: 1, maxQueued: 4, maxQueueSeconds: 0.5 };
    },
  });
  fixture.answer = () => {};
  try {
    void ask(fixture).catch(() => {}); // has the one connection, and keeps it
    await sleep(100);
    const statuses = async (count: number) =>
      (await Promise.all(Array.from({ length: count }, () => ask(fixture)))).map(({ status }) => status);
    const queued = async () =>
      /^agentgateway_upstream_queued\{.*\} (\d+)$/m.exec((await fixture.admin('/metrics')).text)?.[1];
    const waiting = statuses(2); // of four places a caller has two
    await sleep(100);
    expect(await queued()).toBe('2');
    expect(await statuses(1)).toEqual([503]);
    expect(await queued()).toBe('2');
    expect(await waiting).toEqual([503, 503]);
    expect(await queued()).toBe('0');
    expect(await statuses(2)).toEqual([503, 503]);
    const lines = (await fixture.audit()).map(({ reason }) => reason);
    expect(lines).toEqual(Array(5).fill('upstream_busy'));
    expect(fixture.seen).toHaveLength(1);
  } finally {
    await fixture.stop();
  }
}, 15_000);

it('a new bundle of roots is used for the next connection, and a broken one leaves the one before', async () => {
  let backend!: https.Server;
  const port = await freePort();
  const fixture = await startFixture({
    change: (config, { dir }) => {
      const file = (name: string) => join(dir, name);
      for (const name of ['old', 'new']) {
        execFileSync(
          'openssl',
          [
            'req',
            '-x509',
            '-newkey',
            'ec',
            '-pkeyopt',
            'ec_paramgen_curve:P-256',
            '-nodes',
            '-days',
            '1',
            '-subj',
            `/CN=${name}`,
            '-addext',
            'subjectAltName=IP:127.0.0.1',
            '-keyout',
            file(`${name}.key`),
            '-out',
            file(`${name}.crt`),
          ],
          { stdio: 'pipe' },
        );
      }
      copyFileSync(file('old.crt'), file('roots.pem'));
      backend = https.createServer(
        { cert: readFileSync(file('old.crt')), key: readFileSync(file('old.key')) },
        (message, response) =>
          message.resume().on('end', () => response.writeHead(200, { Connection: 'close' }).end('{}')),
      );
      backend.listen(port, '127.0.0.1');
      config.routes[0]!.backend = { url: `https://127.0.0.1:${port}`, caFile: file('roots.pem') };
    },
  });
  const file = (name: string) => join(fixture.dir, name);
  const counted = async (result: string) =>
    Number(
      /result="\w+"\} (\d+)/.exec(
        (await fixture.admin('/metrics')).text
          .split('\n')
          .find((l) => l.startsWith(`agentgateway_reloads_total{what="roots",result="${result}"}`)) ?? '',
      )?.[1] ?? 0,
    );
  try {
    expect((await ask(fixture)).status).toBe(200);
    const ends = new RegExp(`certificate_expiry_seconds\\{file="${file('roots.pem')}"\\} (\\d+)`);
    const inSeconds = Number(ends.exec((await fixture.admin('/metrics')).text)![1]) - Date.now() / 1000;
    expect([inSeconds > 86_000, inSeconds <= 86_400]).toEqual([true, true]);
    writeFileSync(file('roots.pem'), 'not a certificate');
    await sleep(1300);
    expect([(await ask(fixture)).status, await counted('refused')]).toEqual([200, 1]);
    backend.setSecureContext({ cert: readFileSync(file('new.crt')), key: readFileSync(file('new.key')) });
    expect((await ask(fixture)).status).toBe(502);
    copyFileSync(file('new.crt'), file('roots.pem'));
    await sleep(1300);
    expect((await ask(fixture)).status).toBe(200);
  } finally {
    await fixture.stop();
    backend.closeAllConnections();
    backend.close();
  }
}, 15_000);
