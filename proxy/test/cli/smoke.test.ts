/** `agw smoke` against the real gateway, and against ones that check too little: each is found out. */
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { CliError } from '../../src/cli/command.js';
import { smoke } from '../../src/cli/smoke.js';
import { startFixture, type GatewayFixture } from '../support/gateway.js';
import { accessToken, ec, thumbprint } from '../support/mint.js';

const client = ec();
let fixture: GatewayFixture;
let origin: string;
const at = (name: string) => join(fixture.dir, name);

beforeAll(async () => {
  fixture = await startFixture({
    change: (input, { dir }) => {
      origin = `http://127.0.0.1:${input.listen!.port!}`;
      input.publicOrigins = [origin];
      const [mcp] = input.routes as [Extract<(typeof input.routes)[number], { kind: 'mcp' }>];
      const auth = { profile: 'dpop' as const, issuers: ['as'], audiences: ['all'] };
      const nonce = { keys: { file: join(dir, 'nonce-keys') } };
      writeFileSync(nonce.keys.file, 'n'.repeat(32));
      input.routes[0] = { ...mcp, auth };
      input.routes.push(
        { ...mcp, name: 'nonce', pathPrefix: '/nonce', auth: { ...auth, nonce } },
        {
          ...mcp,
          name: 'lenient',
          pathPrefix: '/lenient',
          auth: { ...auth, nonce: { ...nonce, timeFromNonce: true } },
        },
        { ...mcp, name: 'mixed', pathPrefix: '/mixed', auth: { ...auth, profile: 'mixed' } },
        { ...mcp, name: 'open', pathPrefix: '/open', auth: { ...auth, mode: 'permissive' } },
      );
    },
  });
  writeFileSync(at('client.pem'), client.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  writeFileSync(at('self.pem'), fixture.self.privateKey.export({ type: 'pkcs8', format: 'pem' }));
});
afterAll(() => fixture.stop());

const run = async (url: string, ...args: string[]) => {
  const lines: string[] = [];
  const code = await smoke.run(['--url', url, ...args], { out: (line) => lines.push(line) });
  return { code, lines };
};
const bound = (claims: Record<string, unknown> = {}) => [
  ...['--token', accessToken(fixture.as, { aud: 'all', cnf: { jkt: thumbprint(client) }, ...claims })],
  ...['--key', at('client.pem')],
];
const selfSigned = () => [
  ...['--key', at('self.pem'), '--kid', 'my-key-1', '--iss', 'my-app-aiops', '--aud', 'mcp-gateway'],
];
/** The names of the checks that were not as they must be. */
const wrong = (lines: readonly string[]) =>
  lines.flatMap((line) => /^WRONG +(\S+)/.exec(line)?.slice(1) ?? []);

const DPOP = [
  ...['no-credentials', 'bearer', 'no-proof', 'good', 'replay', 'wrong-htm', 'wrong-htu', 'wrong-ath'],
  ...['foreign-key', 'stale-iat'],
];
const SELF_SIGNED = [
  ...['no-credentials', 'good', 'replay', 'wrong-htm', 'wrong-htu', 'wrong-aud', 'foreign-key', 'stale-iat'],
];

it.each<[string, string, () => string[], readonly string[]]>([
  ['dpop', '/mcp', bound, DPOP],
  ['dpop with nonces', '/nonce', bound, DPOP],
  ['mixed', '/mixed', bound, DPOP],
  ['self-signed', '/self', selfSigned, SELF_SIGNED],
])('a %s route refuses what it must, each for its own reason', async (_, path, args, checks) => {
  const { code, lines } = await run(`${origin}${path}`, ...args());
  expect(lines.slice(1, -1).map((line) => line.split(/ +/).slice(0, 2))).toEqual(
    checks.map((name) => ['ok', name]),
  );
  expect([code, lines.at(-1)]).toEqual([0, `all ${checks.length} as they must be`]);
});
it('sends what a server of MCP answers, or what it is told', async () => {
  await run(`${origin}/mcp`, ...bound());
  const { method, body } = fixture.seen.at(-1)!;
  expect([method, JSON.parse(body)]).toEqual(['POST', expect.objectContaining({ method: 'initialize' })]);
  const sent = ['--method', 'DELETE', '--header', 'Accept: text/told'];
  expect((await run(`${origin}/mcp`, ...bound(), ...sent)).code).toBe(0);
  expect(fixture.seen.at(-1)).toMatchObject({ method: 'DELETE', headers: { accept: 'text/told' } });
});
it('speaks JSON to machines', async () => {
  const { lines } = await run(`${origin}/mcp`, ...bound(), '--json');
  const result = JSON.parse(lines.join('')) as { passed: boolean; checks: { check: string; got: string }[] };
  expect(result.passed).toBe(true);
  expect(result.checks).toContainEqual(
    expect.objectContaining({ check: 'wrong-htm', ok: true, got: '401 dpop_htm_mismatch' }),
  );
});

describe('a gateway that checks too little', () => {
  it.each<[string, string, string[]]>([
    ['takes the time from the nonce', '/lenient', ['stale-iat']],
    ['is permissive', '/open', DPOP.filter((name) => name !== 'good')],
  ])('%s and is found out', async (_, path, names) => {
    const { code, lines } = await run(`${origin}${path}`, ...bound());
    expect(wrong(lines)).toEqual(names);
    expect([code, lines.at(-1)]).toEqual([1, `${names.length} of ${DPOP.length} WRONG`]);
  });
  it('is right where what it does not check is left out by name', async () => {
    const { code, lines } = await run(`${origin}/lenient`, ...bound(), '--without', 'stale-iat');
    expect([code, lines.at(-1)]).toEqual([0, 'all 9 as they must be']);
  });
  it('refuses everything, and is found out', async () => {
    const server = http.createServer((_, response) => response.writeHead(401).end());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = server.address() as AddressInfo;
      const { code, lines } = await run(`http://127.0.0.1:${port}/mcp`, ...bound());
      expect([code, wrong(lines)]).toEqual([1, DPOP]);
    } finally {
      server.close();
    }
  });
});
it('finds out a token that does not pass, whatever the refusals look like', async () => {
  const { code, lines } = await run(`${origin}/mcp`, ...bound({ aud: 'another' }));
  expect(code).toBe(1);
  expect(wrong(lines)).toContain('good');
});
it.each<[string, () => string[], string]>([
  [
    'nothing that passes',
    () => [],
    '--key: is required: a request must pass, else every refusal looks right',
  ],
  ['a token without its key', () => bound().slice(0, 2), '--key: is required'],
  [
    'a check that there is not',
    () => [...bound(), '--without', 'htm'],
    '--without: must be one of no-credentials',
  ],
])('refuses to run with %s', async (_, args, problem) => {
  const failed = run(`${origin}/mcp`, ...args());
  await expect(failed).rejects.toThrow(problem);
  await expect(failed).rejects.toBeInstanceOf(CliError);
});
it('prints nothing that a terminal obeys of a server that is no gateway', async () => {
  const server = http.createServer((_, response) => response.writeHead(401).end('{"error":"e\\u001b[2J"}'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const { port } = server.address() as AddressInfo;
    const { lines } = await run(`http://127.0.0.1:${port}/mcp`, ...bound());
    expect(lines.filter((line) => line.includes('401 e\\u001b[2J'))).not.toEqual([]);
    expect(lines.join('')).not.toContain('\u001b');
  } finally {
    server.close();
  }
});
