/** `agw curl` against the real gateway: what a client developer is told of one request. */
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { CliError } from '../../src/cli/command.js';
import { curl } from '../../src/cli/curl.js';
import { proofMint } from '../../src/cli/proof.js';
import { tokenMint } from '../../src/cli/token.js';
import { freePort } from '../support/free-port.js';
import { startFixture, type GatewayFixture } from '../support/gateway.js';
import { accessToken, ec, rsa, thumbprint, type Pair } from '../support/mint.js';

const client = ec();
let fixture: GatewayFixture;
let origin: string;
const at = (name: string) => join(fixture.dir, name);
const pem = (name: string, { privateKey }: Pair) =>
  writeFileSync(at(name), privateKey.export({ type: 'pkcs8', format: 'pem' }));

beforeAll(async () => {
  fixture = await startFixture({
    http2: true,
    change: (input, { dir }) => {
      origin = `https://127.0.0.1:${input.listen!.port!}`;
      input.publicOrigins = [origin];
      const [mcp] = input.routes as [Extract<(typeof input.routes)[number], { kind: 'mcp' }>];
      const auth = { profile: 'dpop' as const, issuers: ['as'], audiences: ['all'] };
      writeFileSync(join(dir, 'nonce-keys'), 'n'.repeat(32));
      input.routes[0] = { ...mcp, auth };
      input.routes.push({
        ...mcp,
        name: 'nonce',
        pathPrefix: '/nonce',
        auth: { ...auth, nonce: { keys: { file: join(dir, 'nonce-keys') } } },
      });
    },
  });
  pem('client.pem', client);
  const locked = { cipher: 'aes-256-cbc', passphrase: 'open sesame' };
  writeFileSync(at('locked.pem'), client.privateKey.export({ type: 'pkcs8', format: 'pem', ...locked }));
  writeFileSync(at('words'), 'open sesame\n');
  pem('as.pem', fixture.as);
  pem('self.pem', fixture.self);
  pem('stranger.pem', rsa());
});
afterAll(() => fixture.stop());

const run = async (path: string, ...args: string[]) => {
  const lines: string[] = [];
  const all = [`${origin}${path}`, '--cacert', at('fixture.crt'), '--method', 'POST', ...args];
  const code = await curl.run(all, { out: (line) => lines.push(line) });
  return { code, lines };
};
const bound = () => ['--token', accessToken(fixture.as, { aud: 'all', cnf: { jkt: thumbprint(client) } })];
const selfSigned = (key = 'self.pem') => [
  ...['--key', at(key), '--kid', 'my-key-1', '--iss', 'my-app-aiops', '--aud', 'mcp-gateway'],
];
const minted = () => [
  ...['--profile', 'dpop', '--key', at('as.pem'), '--kid', 'as-1', '--iss', 'https://as.example'],
  ...['--aud', 'all', '--sub', 's', '--client-id', 'c', '--dpop-key', at('client.pem')],
];

it.each<[string, string, () => string[]]>([
  ['a token and the key that it is bound to', '/mcp', () => [...bound(), '--key', at('client.pem')]],
  [
    'a key that is encrypted',
    '/mcp',
    () => [...bound(), '--key', at('locked.pem'), '--key-passphrase-file', at('words')],
  ],
  ['an access token that it mints', '/mcp', minted],
  ['a self-signed token', '/self', () => selfSigned()],
])('passes with %s, as often as it is run', async (_, path, args) => {
  for (let i = 0; i < 2; i++) {
    const { code, lines } = await run(path, ...args());
    expect([code, lines[1]]).toEqual([0, expect.stringMatching(/^answered: 200 \(\d+ ms\)$/)]);
  }
});
it('sends what it is told to, and a proof of the URL without its query', async () => {
  const args = ['--data', '{"a":1}', '--header', 'Accept: text/told', '--body', '--method', 'PUT'];
  await run('/mcp?q=1', ...bound(), '--key', at('client.pem'), ...args.slice(0, 5));
  expect(fixture.seen.at(-1)).toMatchObject({
    method: 'POST',
    url: '/mcp?q=1',
    headers: { accept: 'text/told' },
    body: '{"a":1}',
  });
  const { lines } = await run('/mcp', ...bound(), '--key', at('client.pem'), ...args);
  expect(lines[1]).toMatch(/^refused: 405 the method is not allowed here/);
  expect(lines).toContain('reason: method_not_allowed');
});
it('prints the body where it is asked for', async () => {
  expect((await run('/mcp', ...minted(), '--body')).lines.at(-1)).toBe('{"ok":true}');
  expect((await run('/mcp', ...minted())).lines).not.toContain('{"ok":true}');
});
it('follows one nonce challenge', async () => {
  const { code, lines } = await run('/nonce', ...minted());
  expect([code, lines[1]]).toEqual([0, 'nonce: asked for, and sent with a second proof']);
});
it.each<[string, string, () => string[], string, string]>([
  ['no credentials', '/mcp', () => [], '401', 'credentials_missing'],
  ['a bound token alone', '/mcp', bound, '401 invalid_token', 'scheme_refused'],
  [
    'a foreign key',
    '/mcp',
    () => [...bound(), '--key', at('self.pem')],
    '401 invalid_token',
    'token_key_mismatch',
  ],
  ['a stranger', '/self', () => selfSigned('stranger.pem'), '401 invalid_token', 'token_signature_bad'],
  ['no route', '/nowhere', () => [], '404 no_route', 'no_route'],
])('says of %s what explain says', async (_, path, args, refused, reason) => {
  const { code, lines } = await run(path, ...args());
  expect(code).toBe(1);
  expect(lines[1]).toMatch(`refused: ${refused}`);
  expect(lines).toEqual(
    expect.arrayContaining([
      `reason: ${reason}`,
      expect.stringMatching(/^next: .{10}/),
      expect.stringMatching(/^request id: /),
    ]),
  );
});
it('prints nothing that a terminal obeys, and no reason that is not ours, of a server that is no gateway', async () => {
  const server = http.createServer((_, response) =>
    response
      .writeHead(401, { 'x-request-id': 'r\u009b' })
      .end('{"error":"e\\u001b[2J","error_description":"d\\u009b"}'),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    const lines: string[] = [];
    const { port } = server.address() as AddressInfo;
    await curl.run([`http://127.0.0.1:${port}/`], { out: (line) => lines.push(line) });
    expect(lines.slice(1)).toEqual([
      expect.stringMatching(/^refused: 401 e\\u001b\[2J: d\\u009b \(\d+ ms\)$/),
      'request id: r\\u009b',
    ]);
  } finally {
    server.close();
  }
});
it('speaks JSON to machines', async () => {
  const { code, lines } = await run('/mcp', ...bound(), '--json');
  expect(code).toBe(1);
  expect(JSON.parse(lines.join('\n'))).toMatchObject({
    status: 401,
    error: 'invalid_token',
    reasons: ['scheme_refused'],
    followedNonce: false,
    requestId: expect.any(String) as string,
  });
});
it('says that nobody answers, and that the certificate is not trusted', async () => {
  const io = { out: () => {} };
  await expect(curl.run([`http://127.0.0.1:${await freePort()}/`], io)).rejects.toThrow(
    /^http:\/\/127\.0\.0\.1:\d+: must answer within 30 s, got .*ECONNREFUSED/,
  );
  await expect(curl.run([`${origin}/mcp`], io)).rejects.toThrow(/self-signed certificate/);
});

describe('a URL that a proof cannot have', () => {
  const problem = (command: typeof curl, ...args: string[]) =>
    command.run(args, { out: () => {} }).then(
      () => 'none',
      (cause: Error) => (cause instanceof CliError ? cause.message : `not a CliError: ${cause.message}`),
    );
  const query =
    '--htu: must have neither query nor fragment (RFC 9449 4.2), got "https://gw/mcp?a=1"; did you mean ' +
    '"https://gw/mcp"?';
  it('is refused when it is minted', async () => {
    const proof = (htu: string) =>
      problem(proofMint, '--key', at('client.pem'), '--htm', 'GET', '--htu', htu);
    expect(await proof('https://gw/mcp?a=1')).toBe(query);
    expect(await proof('https://gw/mcp#a')).toContain('did you mean "https://gw/mcp"?');
    expect(await proof('ftp://gw/mcp')).toBe(
      '--htu: must be an absolute http or https URL, got "ftp://gw/mcp"',
    );
    expect(await proof('/mcp')).toBe('--htu: must be an absolute http or https URL, got "/mcp"');
    const token = ['--htm', 'GET', '--htu', 'https://gw/mcp?a=1'];
    expect(await problem(tokenMint, ...selfSigned(), ...token)).toBe(query);
  });
  it('is refused before it is sent', async () => {
    expect(await problem(curl, 'https://gw/mcp#top')).toContain('without fragment');
    expect(await problem(curl, 'https://u:p@gw/mcp')).toBe(
      'URL: must be an absolute http or https URL without a user',
    );
    expect(await problem(curl, 'gw/mcp')).toContain('must be an absolute http or https URL');
    expect(await problem(curl)).toBe('URL: must be given, once');
  });
  it('is not the only fault that is found', async () => {
    expect(await problem(curl, origin, '--token', 't', '--kid', 'k')).toContain(
      '--token: must stand without',
    );
    expect(await problem(curl, origin, '--header', 'x')).toBe('--header: must be "Name: value", got "x"');
    expect(await problem(curl, origin, '--cacert', '/none')).toContain('--cacert: must be a readable file');
    expect(await problem(curl, origin, '--method', 'G T')).toContain('--method: must be an HTTP method');
    expect(await problem(curl, origin, ...minted().slice(0, -2))).toContain('--dpop-key: is required');
  });
});
