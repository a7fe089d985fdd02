/**
 * The attack: a JWT whose session was ended, or that was stolen together with its key and then revoked, is used until
 * it expires: its signature is still good. Of an issuer that is always asked, it is refused once the kept answer is
 * old; while nobody answers, it is refused too.
 */
import http from 'node:http';
import { parseConfig } from '../../src/config/index.js';
import { ORIGIN, startFixture, type Answer, type GatewayFixture } from '../support/gateway.js';
import { accessToken, ec, proof, thumbprint } from '../support/mint.js';
import { introspectionAt } from '../support/introspection.js';
import { reasonOf } from '../support/reason-of.js';

const CACHE_SECONDS = 30;
const client = ec();
const cnf = { jkt: thumbprint(client) };
let said: object | undefined;
let questions: string[] = [];
const server = http.createServer((message, response) => {
  let body = '';
  message.on('data', (chunk: Buffer) => {
    body += chunk.toString();
  });
  message.on('end', () => {
    questions.push(new URLSearchParams(body).get('token')!);
    response.writeHead(said === undefined ? 500 : 200).end(JSON.stringify(said));
  });
});
let fixture: GatewayFixture;
let ahead = 0;

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  fixture = await startFixture({
    clock: () => Date.now() / 1000 + ahead,
    change: (config, { dir }) => {
      config.issuers[0]!.introspection = {
        ...introspectionAt(server, dir),
        always: true,
        cacheSeconds: CACHE_SECONDS,
      };
    },
  });
});
afterAll(async () => {
  await fixture.stop();
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  [said, questions] = [{ active: true }, []];
  fixture.seen.length = 0;
});

const send = (token: string): Promise<Answer> => {
  const dpop = proof(client, 'POST', `${ORIGIN}/mcp`, token, {
    claims: { iat: Math.floor(Date.now() / 1000 + ahead) },
  });
  return fixture.ask({ method: 'POST', path: '/mcp', headers: { authorization: `DPoP ${token}`, dpop } });
};
const newToken = () => accessToken(fixture.as, { cnf, exp: Math.floor(Date.now() / 1000) + 3_000 });

it('passes while its issuer says that it is active, asked about once while answers are kept', async () => {
  const token = newToken();
  for (let i = 0; i < 3; i++) expect((await send(token)).status).toBe(200);
  expect(questions).toEqual([token]);
});
it('is refused after it was revoked, when the answer kept is old', async () => {
  const token = newToken();
  expect((await send(token)).status).toBe(200);
  said = { active: false };
  expect((await send(token)).status).toBe(200);
  ahead += CACHE_SECONDS + 1;
  const answer = await send(token);
  expect([answer.status, await reasonOf(fixture, answer)]).toEqual([401, 'token_inactive']);
  expect(fixture.seen).toHaveLength(2);
});
it.each<[string, object | undefined, number, string]>([
  ['nobody answers', undefined, 503, 'introspection_unavailable'],
  ['the answer is none', { activ: true }, 503, 'introspection_unavailable'],
  [
    'the answer is of another issuer',
    { active: true, iss: 'https://b.example' },
    401,
    'token_issuer_unknown',
  ],
  ['it is said to be no access token', { active: true, token_use: 'id' }, 401, 'token_type_refused'],
])('is refused where %s', async (_, answered, status, reason) => {
  said = answered;
  const answer = await send(newToken());
  expect([answer.status, await reasonOf(fixture, answer), fixture.seen.length]).toEqual([status, reason, 0]);
});
it('that does not verify is not asked about', async () => {
  const [header, payload, signature] = newToken().split('.') as [string, string, string];
  const forged = `${header}.${payload}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`;
  const answer = await send(forged);
  expect([await reasonOf(fixture, answer), questions]).toEqual(['token_signature_bad', []]);
});
it('needs keys to verify it by: introspection alone is for tokens that are not JWTs', () => {
  const parsed = parseConfig({
    version: 1,
    publicOrigins: [ORIGIN],
    issuers: [
      {
        name: 'as',
        issuer: 'https://as.example',
        introspection: { ...introspectionAt(server, fixture.dir), always: true },
      },
    ],
    replay: { store: 'memory' },
    routes: [],
  });
  expect(parsed).toMatchObject({
    problems: expect.arrayContaining([
      expect.stringMatching(/^issuers\[0\]\.introspection\.always: must go with jwks/),
    ]) as string[],
  });
});
