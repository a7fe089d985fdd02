/** `explain` says of a request what the running gateway says of it, and uses nothing up. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { explain } from '../../src/cli/explain.js';
import { ADVICE } from '../../src/cli/advice.js';
import type { Reason } from '../../src/pipeline/reason.js';
import { ORIGIN, startFixture, type GatewayFixture } from '../support/gateway.js';
import { accessToken, ec, proof, selfSignedToken, thumbprint, type ProofParts } from '../support/mint.js';

const client = ec();
const HTU = `${ORIGIN}/mcp`;
let fixture: GatewayFixture;
let config: string;
beforeAll(async () => {
  fixture = await startFixture({
    change: (input, { dir }) => {
      writeFileSync(join(dir, 'token'), 'of-the-gateway');
      writeFileSync(join(dir, 'ca.pem'), rootCertificates[0]!);
      input.routes.push({
        kind: 'secrets',
        name: 'secrets',
        pathPrefix: '/secrets',
        auth: { profile: 'dpop', issuers: ['as'] },
        backend: {
          url: 'https://127.0.0.1:9',
          caFile: join(dir, 'ca.pem'),
          tokenFile: join(dir, 'token'),
          namespace: 'aiops',
          secretNames: ['db'],
        },
      });
      const [mcp] = input.routes as [Extract<(typeof input.routes)[number], { kind: 'mcp' }>];
      // Nobody listens there: whoever asks finds out.
      input.routes.push({
        ...mcp,
        name: 'exchange',
        pathPrefix: '/exchange',
        backend: {
          ...mcp.backend,
          credential: {
            kind: 'exchange',
            url: 'http://127.0.0.1:9/token',
            clientId: 'gw',
            clientSecret: { file: join(dir, 'token') },
            audience: 'tools',
          },
        },
      });
      config = join(dir, 'config.json');
      writeFileSync(config, JSON.stringify(input));
    },
  });
});
afterAll(() => fixture.stop());

const run = async (...args: string[]) => {
  const lines: string[] = [];
  const code = await explain.run(['--config', config, '--url', HTU, ...args], {
    out: (line) => lines.push(line),
  });
  return { code, lines };
};
const token = (claims: Record<string, unknown> = {}) =>
  accessToken(fixture.as, { cnf: { jkt: thumbprint(client) }, ...claims });

it('accepts what the gateway accepts, as often as it is asked, and spends nothing', async () => {
  const at = token();
  const dpop = proof(client, 'POST', HTU, at);
  for (let i = 0; i < 2; i++)
    expect(await run('--method', 'post', '--token', at, '--proof', dpop)).toMatchObject({
      code: 0,
      lines: [expect.stringMatching(/^route: mcp/), expect.stringMatching(/^accepted/)],
    });
  expect(
    (await fixture.ask({ method: 'POST', path: '/mcp', headers: { authorization: `DPoP ${at}`, dpop } }))
      .status,
  ).toBe(200);
});
it.each<[Reason, Record<string, unknown>, ProofParts, string]>([
  [
    'dpop_htu_mismatch',
    {},
    { claims: { htu: 'https://other.example/mcp' } },
    'got https://other.example/mcp, want https://gw.example/mcp',
  ],
  ['dpop_expired', {}, { claims: { iat: 1 } }, 's ago'],
  ['dpop_key_refused', {}, { header: { jwk: { kty: 'oct' } } }, 'kty must be'],
  ['token_audience_refused', { aud: 'x' }, {}, 'detail: got "x", want https://gw.example/mcp'],
])('names %s, the clause and the way out, as the gateway does', async (reason, claims, parts, says) => {
  const at = token(claims);
  const dpop = proof(client, 'POST', HTU, at, parts);
  const { code, lines } = await run('--method', 'POST', '--token', at, '--proof', dpop);
  expect(code).toBe(1);
  expect(lines.join('\n')).toContain(says);
  expect(lines).toContain(`clause: ${ADVICE[reason].clause}`);
  expect(lines).toContain(`next: ${ADVICE[reason].next}`);
  await fixture.ask({ method: 'POST', path: '/mcp', headers: { authorization: `DPoP ${at}`, dpop } });
  expect((await fixture.audit()).at(-1)!.reason).toBe(reason);
});
it('says which preset of the issuer would have taken the token', async () => {
  const at = accessToken(
    fixture.as,
    { cnf: { jkt: thumbprint(client) }, client_id: undefined, azp: 'agent', typ: 'DPoP' },
    { typ: 'JWT' },
  );
  const dpop = proof(client, 'POST', HTU, at);
  const { code, lines } = await run('--method', 'POST', '--token', at, '--proof', dpop);
  expect(code).toBe(1);
  expect(lines).toContain(
    'detail: typ must be at+jwt; preset keycloak or entra or auth0 of issuer as would take it',
  );
});
it('checks what comes after the proof too: a Secret that is not listed', async () => {
  const url = `${ORIGIN}/secrets/other`;
  const at = token({ aud: `${ORIGIN}/secrets` });
  const dpop = proof(client, 'GET', url, at);
  const { code, lines } = await run('--url', url, '--method', 'GET', '--token', at, '--proof', dpop);
  expect([code, lines[1]]).toEqual([1, expect.stringMatching(/^refused: 404 secret_not_listed/)]);
  const json = await run('--url', url, '--method', 'GET', '--token', at, '--proof', dpop, '--json');
  expect([json.code, JSON.parse(json.lines.join(''))]).toEqual([
    1,
    {
      accepted: false,
      refusal: { status: 404, reason: 'secret_not_listed' },
      lines,
    },
  ]);
  await fixture.ask({ path: '/secrets/other', headers: { authorization: `DPoP ${at}`, dpop } });
  expect((await fixture.audit()).at(-1)!.reason).toBe('secret_not_listed');
});
it('tries no token exchange, and says so', async () => {
  const url = `${ORIGIN}/exchange`;
  const at = token({ aud: url });
  const { code, lines } = await run(
    '--url',
    url,
    '--method',
    'POST',
    '--token',
    at,
    '--proof',
    proof(client, 'POST', url, at),
  );
  expect([code, lines.some((line) => /^token exchange: not tried/.test(line)), lines.at(-1)]).toEqual([
    0,
    true,
    expect.stringMatching(/^accepted/),
  ]);
});
it('knows what the gateway answers itself', async () => {
  const path = '/.well-known/oauth-protected-resource/mcp';
  expect(await run('--url', ORIGIN + path, '--method', 'GET')).toEqual({
    code: 0,
    lines: [expect.stringMatching(/answers it itself/)],
  });
  expect((await fixture.ask({ path })).status).toBe(200);
});
it('checks at the time it is told', async () => {
  const at = token();
  const dpop = proof(client, 'POST', HTU, at);
  expect((await run('--method', 'POST', '--token', at, '--proof', dpop, '--at', '1')).lines.join()).toContain(
    'dpop_not_yet_valid',
  );
});
it('reads a self-signed token and headers too', async () => {
  const lines: string[] = [];
  const url = `${ORIGIN}/self`;
  expect(
    await explain.run(
      [
        '--config',
        config,
        '--url',
        url,
        '--method',
        'POST',
        '--token',
        selfSignedToken(fixture.self, 'POST', url),
        '--header',
        'Accept: a',
      ],
      { out: (line) => lines.push(line) },
    ),
  ).toBe(0);
  expect(lines[0]).toMatch(/profile selfSigned/);
});
it('says what is wrong with the call', async () => {
  await expect(run('--method', 'POST', '--header', 'oops')).rejects.toThrow(
    '--header: must be "Name: value", got "oops"',
  );
  await expect(
    explain.run(['--config', config, '--url', '/mcp', '--method', 'GET'], { out: () => {} }),
  ).rejects.toThrow('--url: must be an absolute URL, got "/mcp"');
});
