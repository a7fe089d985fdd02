/**
 * agentgateway itself, with the config that synth writes: only addresses and where files lie are changed. It runs where
 * AGENTGATEWAY_BIN names the program, and is skipped elsewhere, in CI too: no registry has it.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../proxy/test/support/free-port.js';
import { jwkOf, rsa } from '../../proxy/test/support/mint.js';
import { synthesized } from './support/synthesized.js';

const READY_MS = 10_000;
/** Of an end without anything open: it waited 25 s when it had a minimum. */
const END_MS = 2_000;
/** Of a file that was changed, until it is used. */
const FOLLOWS_MS = 10_000;
const PARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const program = process.env.AGENTGATEWAY_BIN;

interface Manifest {
  readonly kind: string;
  readonly data?: Readonly<Record<string, string>>;
}

if (program === undefined) it.skip('agentgateway: AGENTGATEWAY_BIN names no program', () => {});
(program === undefined ? describe.skip : describe)('agentgateway', () => {
  const dir = mkdtempSync(join(tmpdir(), 'agw-sidecar-'));
  const file = (name: string) => join(dir, name);
  let backend: http.Server;
  let received: http.IncomingMessage[] = [];
  let answer = (response: http.ServerResponse): unknown => response.end('{}');
  let config = '';
  let port = 0;
  let statsPort = 0;
  let readinessPort = 0;
  let child: ChildProcess;
  let log = '';

  const write = (name: string, text: string) => {
    mkdirSync(dirname(file(name)), { recursive: true });
    writeFileSync(file(name), text);
  };
  /** The address that it admits, which its own config says. */
  const localAddress = () => /source\.address == "([^"]+)"/.exec(config)![1]!;
  const get = (at: number, path: string, headers = {}, from = '127.0.0.1') =>
    new Promise<{
      readonly status: number;
      readonly text: string;
      readonly headers: http.IncomingHttpHeaders;
    }>((resolve, reject) => {
      http
        .get({ host: '127.0.0.1', port: at, path, headers, localAddress: from, agent: false }, (response) => {
          let text = '';
          response
            .on('data', (chunk: Buffer) => {
              text += chunk.toString();
            })
            .once('end', () => resolve({ status: response.statusCode!, text, headers: response.headers }))
            .once('error', reject);
        })
        .once('error', reject);
    });
  const ask = (headers = {}, path = '/mcp?secret=in-the-query') => get(port, path, headers, localAddress());
  const until = async (what: string, ms: number, is: () => Promise<boolean> | boolean) => {
    const end = performance.now() + ms;
    while (!(await is())) {
      if (performance.now() > end) throw new Error(`not within ${ms} ms: ${what}; it said: ${log}`);
      await sleep(50);
    }
  };
  const isReady = () =>
    get(readinessPort, '/healthz/ready').then(
      ({ status }) => status === 200,
      () => false,
    );
  const start = async () => {
    child = spawn(program!, ['-f', file('config.yaml')], { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout!, child.stderr!])
      stream.on('data', (chunk: Buffer) => {
        log += chunk.toString();
      });
    await until('it is ready', READY_MS, isReady);
  };
  /** Milliseconds that it takes. */
  const stop = async () => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    const began = performance.now();
    child.kill('SIGTERM');
    await ended;
    return performance.now() - began;
  };
  const validate = (text: string) => {
    write('checked.yaml', text);
    return () =>
      execFileSync(program!, ['--validate-only', '-f', file('checked.yaml')], { stdio: 'pipe' }).toString();
  };

  beforeAll(async () => {
    backend = http.createServer((message, response) => {
      received.push(message);
      message.resume().on('end', () => answer(response));
    });
    await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
    const jwks = JSON.stringify({ keys: [{ ...jwkOf(rsa()), kid: 'as-1', alg: 'RS256', use: 'sig' }] });
    write('as.json', jwks);
    const host = `127.0.0.1:${(backend.address() as AddressInfo).port}`;
    const manifests = synthesized<Manifest>(
      'test/support/sidecar-app.ts',
      file('out'),
      file('as.json'),
      host,
    );
    const { data } = manifests.find(
      (manifest) => manifest.kind === 'ConfigMap' && manifest.data?.['config.yaml'] !== undefined,
    )!;
    [port, statsPort, readinessPort] = [await freePort(), await freePort(), await freePort()];
    const { 'config.yaml': text, ...others } = data!;
    config = text!
      .replaceAll('/etc/agentgateway/', `${dir}/`)
      .replace('port: 8081', `port: ${port}`)
      .replace('[::]:15020', `[::]:${statsPort}`)
      .replace('[::]:15021', `[::]:${readinessPort}`);
    for (const [name, content] of Object.entries(others)) write(name, content);
    write('routes/mcp/credential', 'first-key');
    write('config.yaml', config);
    await start();
  }, 60_000);
  afterAll(async () => {
    child.kill('SIGKILL');
    backend.closeAllConnections();
    backend.close();
    rmSync(dir, { recursive: true, force: true });
    await sleep(0);
  });
  beforeEach(() => {
    received = [];
  });

  it('takes the config as it is written, and none with another field', () => {
    expect(validate(config)).not.toThrow();
    expect(validate(config.replace('frontendPolicies:', 'frontendPolicies:\n  bogus: 1'))).toThrow(/bogus/);
  });
  it('says that it took its config, and opens no port for administration', async () => {
    const { text } = await get(statsPort, '/metrics');
    expect(text).toMatch(/^agentgateway_config_synchronized 1$/m);
    await expect(get(15_000, '/config_dump')).rejects.toThrow();
  });
  it('sends what the proxy sent, with its own credential, and leaves the trace as it is', async () => {
    expect((await ask({ traceparent: PARENT })).status).toBe(200);
    const [{ headers, url }] = received as [http.IncomingMessage];
    expect([url, headers.authorization, headers.traceparent]).toEqual([
      '/mcp?secret=in-the-query',
      'Bearer first-key',
      PARENT,
    ]);
    expect(headers).not.toHaveProperty('dpop');
  });
  it("sets the headers of the route, over a client's own, and of no other route", async () => {
    for (const path of ['/mcp', '/exchanged'])
      expect((await ask({ 'x-tenant': 'forged' }, path)).status).toBe(200);
    expect(received.map(({ headers }) => headers['x-tenant'])).toEqual(['acme', 'forged']);
  });
  it('leaves the token that the proxy got in exchange', async () => {
    expect((await ask({ authorization: 'Bearer of-the-backend' }, '/exchanged')).status).toBe(200);
    expect(received.map(({ headers }) => headers.authorization)).toEqual(['Bearer of-the-backend']);
  });
  it('logs the id of the request, and no query', async () => {
    expect((await ask({ 'x-request-id': 'request-7' })).status).toBe(200);
    await until('the line is written', FOLLOWS_MS, () => log.includes('request-7'));
    const line = log.split('\n').find((text) => text.includes('request-7'))!;
    expect(JSON.parse(line)).toMatchObject({ 'http.path': '/mcp', 'request.id': 'request-7' });
    expect(log).not.toContain('in-the-query');
  });
  it('refuses whoever calls from another address', async () => {
    await expect(get(port, '/mcp', {}, '127.200.0.1')).rejects.toThrow();
    expect(received).toEqual([]);
  });
  it("marks what the backend answered, over a mark of the backend's own, and not what it says itself", async () => {
    const mark = 'x-backend-answered';
    expect((await ask()).headers[mark]).toMatch(/^\d/);
    answer = (response) => response.writeHead(404, { [mark]: 'forged' }).end('{}');
    const { status, headers } = await ask();
    expect([status, headers[mark]]).toEqual([404, expect.stringMatching(/^\d/)]);
    answer = (response) => response.destroy();
    const failed = await ask();
    expect([failed.status, failed.headers[mark]]).toEqual([503, undefined]);
    const lost = await ask({}, '/elsewhere');
    expect([lost.status, lost.headers[mark]]).toEqual([404, undefined]);
    answer = (response) => response.end('{}');
  });
  it('calls the endpoint that has the address which the proxy calls', async () => {
    // The wildcard listener answers at both addresses; each is the Host of one endpoint.
    const asked = (at: number) =>
      get(port, '/several', { host: `127.94.50.${at}:8081` }, localAddress()).then(({ status }) => status);
    expect([await asked(1), received.length, received[0]?.headers.host]).toEqual([
      200,
      1,
      expect.stringMatching(/^127\.0\.0\.1(:\d+)?$/),
    ]);
    expect([await asked(2), await asked(3), received.length]).toEqual([503, 404, 1]);
  });
  it('follows a credential when its config is written anew, as kubelet does with the volume of both', async () => {
    write('routes/mcp/credential', 'second-key');
    write('config.yaml', `${config}\n`);
    await until('the new one is sent', FOLLOWS_MS, async () => {
      await ask();
      return received.at(-1)?.headers.authorization === 'Bearer second-key';
    });
  });
  it('ends as soon as it is told to where nothing is open', async () => {
    expect(await stop()).toBeLessThan(END_MS);
  });
});
