/** Operators see when a CA bundle ends, also of those that only a driver or a fetch reads. */
import { execFileSync } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort, startFixture } from '../support/gateway.js';

const DAY_SECONDS = 86_400;
const make = (file: string, days: number) => {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=ca'];
  const files = ['-keyout', `${file}.key`, '-out', file, '-days', String(days)];
  execFileSync('openssl', ['req', '-x509', ...key, ...files], { stdio: 'pipe' });
};

it('tells when the bundles of issuers, Redis, the collector and the egress proxy end, as they are in use', async () => {
  const away = await freePort();
  const files: Record<string, string> = {};
  const fixture = await startFixture({
    change: (config, { dir }) => {
      for (const [i, name] of ['issuer', 'asked', 'redis', 'collector', 'egress', 'renewed'].entries()) {
        files[name] = join(dir, `${name}.pem`);
        make(files[name], (i + 1) * 10);
      }
      const url = `https://127.0.0.1:${away}/`;
      const [as] = config.issuers;
      config.issuers.push(
        { name: 'away', issuer: 'https://away.example', jwks: { url, caFile: files.issuer! } },
        {
          name: 'asked',
          issuer: 'https://asked.example',
          jwks: as!.jwks!,
          introspection: {
            url,
            caFile: files.asked!,
            clientId: 'gateway',
            clientSecret: { file: files.renewed! },
          },
        },
      );
      config.replay = { store: 'redis', url: `rediss://127.0.0.1:${away}`, caFile: files.redis! };
      config.tracing = { url: `${url}v1/traces`, caFile: files.collector! };
      config.egressProxy = { url: new URL(url).origin, caFile: files.egress! };
    },
  });
  const daysOf = async (name: string) => {
    const { text } = await fixture.admin('/metrics');
    const line = text
      .split('\n')
      .find((l) => l.includes(`certificate_expiry_seconds{file="${files[name]}"}`));
    return Math.round((Number(line?.split(' ')[1]) - Date.now() / 1000) / DAY_SECONDS);
  };
  try {
    expect(await Promise.all(['issuer', 'asked', 'redis', 'collector', 'egress'].map(daysOf))).toEqual([
      10, 20, 30, 40, 50,
    ]);
    for (const name of ['issuer', 'redis']) copyFileSync(files.renewed!, files[name]!);
    fixture.gateway.refresh();
    await sleep(1_500);
    // An issuer's is read for each fetch, that of Redis when the gateway starts.
    expect([await daysOf('issuer'), await daysOf('redis')]).toEqual([60, 30]);
  } finally {
    await fixture.stop();
  }
}, 30_000);
