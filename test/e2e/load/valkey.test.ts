/**
 * The Valkey that synth deploys beside a gateway, with exactly its config and its users: Debian's server, and two
 * gateways of the shipped bundle that share it over TLS.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as tlsConnect } from 'node:tls';
import { Redis } from 'ioredis';
import type { ConfigInput } from '../../../proxy/src/config/index.js';
import { freePort, request, type Ask } from '../../../proxy/test/support/gateway.js';
import { needs } from '../support/daemon.js';
import { startGatewayProcess, type GatewayProcess } from '../support/gateway-process.js';
import { openScene, type Scene } from '../support/scene.js';
import { synthesized } from '../support/synthesized.js';
import { type Manifest, type Secrets, valkeyMissing, ValkeyPod } from '../support/valkey-pod.js';

const PASSWORD = 'a-password-of-the-test';
const BACK_MS = 10_000;
/** A gateway tries again every 2 seconds at the least. */
const RECONNECTS_MS = 3_000;

needs("a gateway's own Valkey", valkeyMissing());
(valkeyMissing().length === 0 ? describe : describe.skip)("a gateway's own Valkey", () => {
  let scene: Scene;
  let objects: readonly Manifest[];
  let valkey: ValkeyPod;
  let config: ConfigInput;
  const gateways: GatewayProcess[] = [];
  const clients: Redis[] = [];
  const file = (name: string) => join(scene.dir, name);
  const certificate = () => objects.find(({ kind }) => kind === 'Certificate')!.spec!;

  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: scene.dir, stdio: 'pipe' });
  const ecKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const makeCa = () =>
    openssl('req', '-x509', ...ecKey, '-days', '1', '-subj', '/CN=ca', '-keyout', 'ca.key', '-out', 'ca.crt');
  /** The Secret that cert-manager would write. */
  const certified = (days: number): Secrets[string] => {
    writeFileSync(
      file('names'),
      `subjectAltName=${certificate()
        .dnsNames.map((name) => `DNS:${name}`)
        .join(',')}\n`,
    );
    openssl('req', ...ecKey, '-subj', '/CN=valkey', '-keyout', 'tls.key', '-out', 'tls.csr');
    const signed = ['x509', '-req', '-in', 'tls.csr', '-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial'];
    openssl(...signed, '-days', String(days), '-extfile', 'names', '-out', 'tls.crt');
    return Object.fromEntries(
      ['tls.crt', 'tls.key', 'ca.crt'].map((name) => [name, readFileSync(file(name), 'utf8')]),
    );
  };
  const secretsOf = (password: string, days = 1): Secrets => ({
    'replay-store': { password },
    [certificate().secretName]: certified(days),
  });

  const tls = () => ({ ca: readFileSync(file('ca.crt')), servername: certificate().dnsNames[0]! });
  /** A connection as the gateway makes it. */
  const asGateway = async (): Promise<Redis> => {
    const user = { username: 'agentgateway', password: PASSWORD };
    const redis = new Redis({
      ...user,
      host: '127.0.0.1',
      port: valkey.port,
      tls: tls(),
      retryStrategy: () => null,
      lazyConnect: true,
    });
    clients.push(redis);
    await redis.connect();
    return redis;
  };
  /** What is answered to the first command of a connection. */
  const answerTo = async (command: string): Promise<string> => {
    const socket = tlsConnect({ host: '127.0.0.1', port: valkey.port, ...tls() });
    socket.write(`${command}\r\n`);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    socket.destroy();
    return answer.toString().trimEnd();
  };
  const refusal = (asked: Promise<unknown>): Promise<string> =>
    asked.then(
      (answer) => `answered ${String(answer)}`,
      (cause: Error) => cause.message,
    );

  const startGateway = (name: string) =>
    startGatewayProcess(config, { dir: scene.dir, name, flags: ['--require', file('names.cjs')] });
  const ask = async (gateway: GatewayProcess, with_: Ask) => {
    const { status, headers } = await request(gateway.port, with_);
    for (let waited = 0; ; waited += 10) {
      const audited = readFileSync(file('audit.jsonl'), 'utf8')
        .split('\n')
        .find((line) => line.includes(`"${String(headers['x-request-id'])}"`));
      if (audited !== undefined && audited.endsWith('}'))
        return [status, (JSON.parse(audited) as { reason?: string }).reason];
      if (waited > BACK_MS) throw new Error('no audit line');
      await sleep(10);
    }
  };
  const passesAgain = async (gateway: GatewayProcess) => {
    for (let waited = 0; (await ask(gateway, scene.ask()))[0] !== 200; waited += 100) {
      if (waited > BACK_MS) throw new Error(`nobody passes; the gateway said: ${gateway.said()}`);
      await sleep(100);
    }
  };

  beforeAll(async () => {
    scene = await openScene();
    mkdirSync(file('objects'));
    objects = synthesized<Manifest>('test/support/valkey-app.ts', file('objects'), file('jwks.json'));
    makeCa();
    valkey = new ValkeyPod(objects, { root: file('pod'), port: await freePort() });
    await valkey.start(secretsOf(PASSWORD));

    const { replay, routes } = JSON.parse(
      objects.find(({ data }) => data?.['config.json'] !== undefined)!.data!['config.json']!,
    ) as ConfigInput & { replay: { url: string } };
    writeFileSync(file('redis-password'), `${PASSWORD}\n`);
    const [route] = scene.config.routes;
    config = {
      ...scene.config,
      replicas: 2,
      replay: {
        ...replay,
        url: replay.url.replace('6379', String(valkey.port)),
        caFile: file('ca.crt'),
        password: { file: file('redis-password') },
      },
      routes: [{ ...route, rateLimit: routes[0]!.rateLimit }],
    } as ConfigInput;
    // The Service's name leads to the pod.
    const service = JSON.stringify(new URL(replay.url).hostname);
    writeFileSync(
      file('names.cjs'),
      `const dns = require('node:dns'), { lookup } = dns;
dns.lookup = (name, ...args) => lookup(name === ${service} ? '127.0.0.1' : name, ...args);\n`,
    );
    gateways.push(await startGateway('one'), await startGateway('two'));
  }, 60_000);
  afterEach(() => clients.splice(0).forEach((redis) => redis.disconnect()));
  afterAll(async () => {
    await Promise.all(gateways.map((gateway) => gateway.stop()));
    await valkey.stop();
    scene.stop();
  });

  it('is what both replicas remember proofs in, and count callers in', async () => {
    const used = scene.ask();
    expect(await ask(gateways[0]!, used)).toEqual([200, 'ok']);
    expect(await ask(gateways[1]!, used)).toEqual([401, 'dpop_replayed']);
    expect(await ask(gateways[0]!, used)).toEqual([401, 'dpop_replayed']);
    const redis = await asGateway();
    // Its bucket, which only Valkey has, is told by what it may be asked about.
    expect(await redis.info('commandstats')).toMatch(/^cmdstat_hset:calls=\d+,.*failed_calls=0$/m);
  });

  it('takes its user alone, and of it what the gateway asks', async () => {
    expect(await answerTo('PING')).toBe('-NOAUTH Authentication required.');
    for (const [user, password] of [
      ['default', PASSWORD],
      ['default', '""'],
      ['agentgateway', '""'],
      ['agentgateway', 'another'],
      ['admin', PASSWORD],
    ])
      expect(await answerTo(`AUTH ${user} ${password}`)).toMatch(/^-WRONGPASS /);
    expect(await answerTo(`AUTH agentgateway ${PASSWORD}`)).toBe('+OK');

    const redis = await asGateway();
    expect(await redis.set('agw:jti:a', '1', 'PX', 1000, 'NX')).toBe('OK');
    for (const command of [
      'FLUSHALL',
      'FLUSHDB',
      'KEYS *',
      'SCAN 0',
      'CONFIG GET *',
      'CONFIG SET maxmemory-policy allkeys-lru',
      'ACL LIST',
      'ACL SETUSER default on nopass ~* +@all',
      'SCRIPT FLUSH',
      'MONITOR',
      'SHUTDOWN NOSAVE',
      'REPLICAOF 127.0.0.1 1',
      'MODULE LIST',
      'CLIENT LIST',
      'EXPIRE agw:jti:a 0',
      'RENAME agw:jti:a agw:jti:b',
      'SUBSCRIBE agw:jti:a',
    ]) {
      const [name, ...args] = command.split(' ');
      expect([command, await refusal(redis.call(name!, ...args))]).toEqual([
        command,
        expect.stringMatching(/^NOPERM /),
      ]);
    }
    expect(await refusal(redis.get('another:key'))).toMatch(/^NOPERM /);
    expect(await refusal(redis.eval("return redis.call('FLUSHALL')", 0))).toMatch(
      /NOPERM|can't run this command/,
    );
    expect(await refusal(redis.eval("return redis.call('GET', 'another:key')", 0))).toMatch(
      /NOPERM|can't access|No permissions/,
    );
  });

  it('speaks TLS alone', async () => {
    const answered = await new Promise<string>((resolve) => {
      let text = '';
      const socket = connect(valkey.port, '127.0.0.1', () => socket.write('PING\r\n'));
      socket.on('data', (chunk) => {
        text += chunk.toString('latin1');
      });
      socket.once('close', () => resolve(text)).once('error', () => {});
    });
    expect(answered).not.toMatch(/PONG|NOAUTH/);
    const conf = objects.find(({ data }) => data?.['valkey.conf'] !== undefined)!.data!['valkey.conf'];
    expect(conf).toContain('\nport 0\n');
  });

  it('refuses when it is full, says so, and forgets nothing', async () => {
    const used = scene.ask();
    expect(await ask(gateways[0]!, used)).toEqual([200, 'ok']);
    const redis = await asGateway();
    const filled: string[] = [];
    for (const bytes of [2 ** 20, 2 ** 14, 2 ** 6]) {
      for (let said = 'OK'; said === 'OK';) {
        const key = `agw:jti:fill-${filled.length}`;
        filled.push(key);
        said = await redis.set(key, 'x'.repeat(bytes)).catch((cause: Error) => cause.message);
        if (said !== 'OK') expect(said).toMatch(/^OOM /);
      }
    }
    expect(await ask(gateways[0]!, scene.ask())).toEqual([503, 'replay_store_full']);
    expect(gateways[0]!.said()).toContain('OOM command not allowed');
    for (let at = 0; at < filled.length; at += 10) await redis.del(...filled.slice(at, at + 10));
    await passesAgain(gateways[0]!);
    expect(await ask(gateways[1]!, used)).toEqual([401, 'dpop_replayed']);
    expect(await redis.info('stats')).toMatch(/^evicted_keys:0\r?$/m);
  }, 30_000);

  it('is probed without a password, and is restarted once its certificate is over', async () => {
    expect(valkey.probe()).toBe(0);
    await valkey.stop();
    expect(valkey.probe()).toBe(1);
    await valkey.start(secretsOf(PASSWORD, 0));
    await sleep(1_100);
    expect(valkey.probe()).toBe(1);
    await valkey.stop();
  }, 30_000);

  it('starts with a new password, and never without one', async () => {
    await valkey.stop();
    await expect(valkey.start(secretsOf('\n'))).rejects.toThrow(
      'the password of the replay store is empty: write one into its Secret',
    );
    writeFileSync(file('redis-password'), 'another-password');
    await valkey.start(secretsOf('another-password\n'));
    for (const gateway of gateways) await passesAgain(gateway);
    expect(await answerTo(`AUTH agentgateway ${PASSWORD}`)).toMatch(/^-WRONGPASS /);
  }, 60_000);

  it('has a new CA once the gateway is started again, and is not trusted before', async () => {
    await valkey.stop();
    makeCa();
    await valkey.start(secretsOf('another-password'));
    await sleep(RECONNECTS_MS);
    for (const gateway of gateways)
      expect(await ask(gateway, scene.ask())).toEqual([503, 'replay_store_down']);
    await gateways[0]!.stop();
    gateways[0] = await startGateway('one');
    await passesAgain(gateways[0]);
    expect(await ask(gateways[1]!, scene.ask())).toEqual([503, 'replay_store_down']);
  }, 60_000);
});
