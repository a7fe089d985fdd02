/** `agw top` against the real gateway, and against servers that are none; in a terminal, the bundle. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { CliError } from '../../src/cli/command.js';
import { frame, top } from '../../src/cli/top.js';
import { freePort } from '../support/free-port.js';
import { ORIGIN, startFixture, type GatewayFixture } from '../support/gateway.js';
import { accessToken, ec, jwkOf, proof, thumbprint } from '../support/mint.js';
import { until } from '../support/until.js';

const agwFile = join(import.meta.dirname, '..', '..', '..', 'assets', 'agw.mjs');
/** Clears a terminal, sets its title, and turns the direction of what follows. */
const HOSTILE_KID = 'kid\x1b[2J\x1b]0;owned\x07\u202etxt\u009b31m';
const client = ec();
const away = freePort();
let fixture: GatewayFixture;
let lonely: GatewayFixture;

beforeAll(async () => {
  fixture = await startFixture({
    change: (_, { dir }) => {
      const jwk = { ...jwkOf(ec()), kid: HOSTILE_KID, alg: 'ES256', use: 'sig' };
      writeFileSync(join(dir, 'self.json'), JSON.stringify({ keys: [jwk] }));
    },
  });
  const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) } });
  const headers = {
    authorization: `DPoP ${token}`,
    dpop: proof(client, 'POST', `${ORIGIN}/mcp`, token),
  };
  for (let i = 0; i < 3; i++) await fixture.ask({ method: 'POST', path: '/mcp', headers });
  const port = await away;
  lonely = await startFixture({
    change: (config) => {
      config.replay = { store: 'redis', url: `redis://127.0.0.1:${port}`, timeoutSeconds: 0.1 };
    },
  });
});
afterAll(async () => {
  await fixture.stop();
  await lonely.stop();
});

const adminOf = ({ gateway }: GatewayFixture) => `http://127.0.0.1:${gateway.adminPort}`;
const run = async (...args: string[]) => {
  const said: string[] = [];
  const code = await top.run(args, { out: (text) => said.push(text) });
  return { code, lines: said.join('\n').split('\n') };
};
/** A server that answers everything so. */
async function answering(status: number, body: string): Promise<http.Server> {
  const server = http.createServer((_, response) => response.writeHead(status).end(body));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

it('says that a gateway is ready, what it answered, and what it refused for which reason', async () => {
  const { code, lines } = await run('--admin', adminOf(fixture));
  expect([code, lines[0]]).toEqual([0, `agent gateway ${adminOf(fixture)}: ready`]);
  const table = lines.slice(lines.indexOf('Routes'), lines.indexOf('Routes') + 5);
  expect(table).toEqual([
    'Routes',
    '  route       path   profile     mode    answered  refused',
    '  mcp         /mcp   dpop        strict  1         2',
    '  self        /self  selfSigned  strict  0         0',
    '  (no route)                             0         0',
  ]);
  expect(lines).toContainEqual(expect.stringMatching(/^ {2}mcp {4}dpop_replayed {2}2 {9}\d s ago$/));
});

it('says why one is not ready, and ends with 1', async () => {
  const { code, lines } = await run('--admin', adminOf(lonely), '--once');
  expect([code, lines[0]]).toEqual([1, expect.stringMatching(/: not ready: waits for replay store$/)]);
  expect(lines).toContainEqual(expect.stringContaining(`redis 127.0.0.1:${await away}, cannot be reached`));
});

it('writes nothing that a terminal would obey', async () => {
  const text = (await run('--admin', adminOf(fixture))).lines.join('\n');
  expect(text).toContain('kid\\u001b[2J\\u001b]0;owned\\u0007\\u202etxt\\u009b31m');
  expect(text).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
});

it.each([
  [
    'nothing listens',
    async () => `http://127.0.0.1:${await away}`,
    /must answer within 30 s, got .*ECONNREFUSED/,
  ],
  [
    'it is the port of clients',
    async () => `http://127.0.0.1:${fixture.gateway.port}`,
    /must be the status of a gateway, got 404 .*; name its admin port \(9090\)/,
  ],
])('says what is wrong where %s', async (_, urlOf, message) => {
  await expect(run('--admin', await urlOf())).rejects.toThrow(message);
});

it.each([
  [200, '<html>\x1b[2Jhello'],
  [200, 'null'],
  [200, '{"ready":true}'],
  [503, '{"status":"stalled"}'],
])('takes no %d with %j for a status', async (status, body) => {
  const server = await answering(status, body);
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const shown = body.replace('\x1b', '\\u001b');
  await expect(run('--admin', url)).rejects.toThrow(`got ${status} ${shown}; name its admin port`);
  await new Promise((resolve) => server.close(resolve));
});

it.each([
  [[], '--admin: is required'],
  [['--admin', 'localhost:9090'], '--admin: must be an absolute http or https URL, got "localhost:9090"'],
  [['--admin', 'http://gw:9090/metrics'], '--admin: must be the URL of the admin port, without a path'],
])('refuses %j', async (args, message) => {
  await expect(run(...args)).rejects.toThrow(CliError);
  await expect(run(...args)).rejects.toThrow(message);
});

it('fits a screen: first lines, cut', () => {
  const lines = ['a'.repeat(9), 'b', 'c', 'd'];
  expect(frame(lines, { rows: 3, columns: 4 })).toBe('\x1b[H\x1b[2Jaaaa\nb');
});

it('says it for a program, too, with the same exit code', async () => {
  const { code, lines } = await run('--admin', adminOf(fixture), '--json');
  expect(code).toBe(0);
  expect(lines.join('')).not.toContain('\x9b');
  expect(JSON.parse(lines.join(''))).toMatchObject({
    ready: true,
    issuers: expect.arrayContaining([expect.objectContaining({ kids: [HOSTILE_KID] })]) as unknown[],
  });
  expect((await run('--admin', adminOf(lonely), '--json')).code).toBe(1);
});

it('looks again every 2 s in a terminal, also when the gateway was away, until it is ended', async () => {
  const mortal = await startFixture();
  const admin = adminOf(mortal);
  // util-linux: runs it with a terminal of its own.
  const command = `exec '${process.execPath}' '${agwFile}' top --admin ${admin}`;
  const terminal = spawn('script', ['-qec', command, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] });
  let wrote = '';
  terminal.stdout.on('data', (chunk: Buffer) => {
    wrote += chunk.toString();
  });
  const frames = () => wrote.split('\x1b[H\x1b[2J').slice(1);
  try {
    await until(() => frames().length > 2);
    expect(frames()[0]).toContain(`agent gateway ${admin}: ready`);
    expect(frames()[1]).toContain(`agent gateway ${admin}: ready`);
    await mortal.stop();
    await until(() => /ECONNREFUSED[^]*tries again/.test(frames().at(-1)!));
    expect(terminal.exitCode).toBeNull();
    const ended = once(terminal, 'exit');
    terminal.stdin.end('\x03'); // ^C
    await ended;
  } finally {
    terminal.kill('SIGKILL');
    await mortal.stop();
  }
}, 30_000);
