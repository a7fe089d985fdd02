/** A key that is no file: a command signs with it, here openssl, and what it signs is judged by others. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { calculateJwkThumbprint, EmbeddedJWK, importSPKI, jwtVerify } from 'jose';
import { CliError, type Command } from '../../src/cli/command.js';
import { curl } from '../../src/cli/curl.js';
import { proofMint } from '../../src/cli/proof.js';
import { tokenMint } from '../../src/cli/token.js';
import { startFixture } from '../support/gateway.js';
import { accessToken, ec, jwkOf, rsa, type Pair } from '../support/mint.js';

const dir = mkdtempSync(join(tmpdir(), 'agw-signer-'));
const at = (name: string) => join(dir, name);
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const keys = { rsa: rsa(), ec: ec() } as const;
const save = (name: string, { privateKey, publicKey }: Pair) => {
  writeFileSync(at(`${name}.key`), privateKey.export({ type: 'pkcs8', format: 'pem' }));
  writeFileSync(at(`${name}.pem`), publicKey.export({ type: 'spki', format: 'pem' }));
  writeFileSync(at(`${name}.jwk`), JSON.stringify(jwkOf({ privateKey, publicKey })));
};
for (const name of ['rsa', 'ec'] as const) save(name, keys[name]);

const BASE64URL = "base64 -w0 | tr '+/' '-_' | tr -d '='";
/** RS256, as PKCS #11's tool or a KMS would do it. */
const RS256 = `openssl dgst -sha256 -sign ${at('rsa.key')} | ${BASE64URL}`;
/** ES256: openssl prints DER, which a few lines of node turn into r and s. */
writeFileSync(
  at('es256.mjs'),
  "import { sign } from 'node:crypto'; import { readFileSync } from 'node:fs';" +
    `const key = { key: readFileSync(${JSON.stringify(at('ec.key'))}), dsaEncoding: 'ieee-p1363' };` +
    "process.stdout.write(sign('sha256', readFileSync(0), key).toString('base64url') + '\\n');",
);
const ES256 = `${process.execPath} ${at('es256.mjs')}`;

const run = async (command: Command, ...args: string[]) => {
  const lines: string[] = [];
  await command.run(args, { out: (line) => lines.push(line) });
  return lines;
};
const TARGET = ['--htm', 'POST', '--htu', 'https://gw/mcp'];
const selfSigned = (signer: string, publicKey: string) => [
  ...['--signer', signer, '--public', at(publicKey), '--kid', 'k', '--iss', 'i', '--aud', 'a'],
];

it('signs a self-signed token that another library verifies', async () => {
  const [token = ''] = await run(tokenMint, ...selfSigned(RS256, 'rsa.pem'), ...TARGET);
  const key = await importSPKI(execFileSync('cat', [at('rsa.pem')], { encoding: 'utf8' }), 'RS256');
  const { payload, protectedHeader } = await jwtVerify(token, key, { issuer: 'i', audience: 'a' });
  expect(protectedHeader).toEqual({ alg: 'RS256', kid: 'k' });
  expect(payload).toMatchObject({ htm: 'POST', htu: 'https://gw/mcp' });
});
it.each([
  ['RS256', RS256, 'rsa'],
  ['ES256', ES256, 'ec'],
] as const)('signs a proof with %s, and shows the public half only', async (alg, signer, name) => {
  const [proof = ''] = await run(proofMint, '--signer', signer, '--public', at(`${name}.jwk`), ...TARGET);
  const { protectedHeader } = await jwtVerify(proof, EmbeddedJWK, { typ: 'dpop+jwt' });
  expect(protectedHeader).toEqual({ typ: 'dpop+jwt', alg, jwk: jwkOf(keys[name]) });
});
it('passes the real gateway with a request of curl', async () => {
  let origin = '';
  const fixture = await startFixture({
    change: (input) => {
      origin = `http://127.0.0.1:${input.listen!.port!}`;
      input.publicOrigins = [origin];
    },
  });
  try {
    const cnf = { jkt: await calculateJwkThumbprint(jwkOf(keys.ec)) };
    const token = accessToken(fixture.as, { cnf });
    const proven = ['--token', token, '--signer', ES256, '--public', at('ec.jwk'), '--method', 'POST'];
    expect((await run(curl, `${origin}/mcp`, ...proven))[1]).toMatch(/^answered: 200 /);
  } finally {
    await fixture.stop();
  }
});

describe('a signer that is no good', () => {
  const DER = `openssl dgst -sha256 -sign ${at('ec.key')} | ${BASE64URL}`;
  it.each<[string, string[], string | RegExp]>([
    [
      'fails',
      ['--signer', 'exit 3', '--public', at('ec.jwk')],
      '--signer: must end with 0 within 60 s, got 3',
    ],
    [
      'prints nothing',
      ['--signer', 'true', '--public', at('ec.jwk')],
      /^--signer: must print a signature of ES256 .*got ""/,
    ],
    [
      'prints DER',
      ['--signer', DER, '--public', at('ec.jwk')],
      /one after the other, not DER \(RFC 7518 3\.4\)$/,
    ],
    [
      'has another key',
      ['--signer', RS256, '--public', at('ec.jwk')],
      /must print a signature of ES256 by the key of --public/,
    ],
    [
      'prints without end',
      ['--signer', 'cat /dev/zero', '--public', at('ec.jwk')],
      /^--signer: must end with 0 .*ENOBUFS/,
    ],
    ['has no public key', ['--signer', ES256], '--public: is required'],
    [
      'has a public key that is none',
      ['--signer', ES256, '--public', at('none.jwk')],
      /^--public: must be a public key, as a JWK or in PEM, got /,
    ],
    ['stands beside a key', ['--signer', ES256, '--key', at('ec.key')], '--signer: must stand without --key'],
  ])('%s', async (_, args, problem) => {
    writeFileSync(at('none.jwk'), '{"kty":"EC"}');
    const failed = run(proofMint, ...args, ...TARGET);
    await expect(failed).rejects.toThrow(problem);
    await expect(failed).rejects.toBeInstanceOf(CliError);
  });
});
