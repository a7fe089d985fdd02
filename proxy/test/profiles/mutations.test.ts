/** Any single change to a sound request makes it a refused one: ten thousand of them. */
import { randomInt, randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { startPipelineFixture, type PipelineFixture } from '../support/pipeline-fixture.js';
import { ORIGIN } from '../support/gateway.js';
import {
  accessToken,
  ec,
  ed25519,
  jwkOf,
  rsa,
  seconds,
  sha256,
  signature,
  thumbprint,
  type Pair,
} from '../support/mint.js';

const CASES = 12_000;
const HTU = `${ORIGIN}/mcp`;
const as = rsa();
const client = ec();
const other = ec();
const jkt = thumbprint(client);
let pipeline: PipelineFixture;
beforeAll(() => {
  pipeline = startPipelineFixture(as);
});
afterAll(() => pipeline.stop());

type Json = Record<string, unknown>;
interface Sound {
  method: string;
  target: string;
  raw: string[];
  proofHeader: Json;
  proofClaims: Json;
  tokenHeader: Json;
  tokenClaims: Json;
}
const sound = (): Sound => {
  const now = seconds();
  const { kty, crv, x, y } = jwkOf(client);
  return {
    method: 'POST',
    target: '/mcp',
    raw: [],
    proofHeader: { typ: 'dpop+jwt', alg: 'ES256', jwk: { kty, crv, x, y } },
    proofClaims: { jti: randomUUID(), htm: 'POST', htu: HTU, iat: now },
    tokenHeader: { typ: 'at+jwt', alg: 'RS256', kid: 'as-1' },
    tokenClaims: {
      iss: 'https://as.example',
      sub: 'agent',
      client_id: 'agent',
      aud: HTU,
      iat: now,
      exp: now + 300,
      jti: randomUUID(),
      cnf: { jkt },
    },
  };
};
/** A token is made once for many cases, as clients do: RSA signatures are slow. */
const tokens = new Map<string, string>();
const mint = (header: unknown, claims: unknown, pair: Pair, alg: string) => {
  const input = [header, claims]
    .map((part) => Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url'))
    .join('.');
  return `${input}.${signature(alg, pair.privateKey, input)}`;
};
const usual = (() => {
  const { tokenClaims } = sound();
  return accessToken(as, { ...tokenClaims, exp: seconds() + 3000 });
})();

interface Parts {
  token: string;
  proof: string;
  raw: string[];
  method: string;
  target: string;
}
const build = ({
  token = usual,
  header,
  claims,
  pair = client,
}: {
  token?: string;
  header?: unknown;
  claims?: unknown;
  pair?: Pair;
}): Parts => {
  const base = sound();
  const proof = mint(
    header ?? base.proofHeader,
    claims ?? { ...base.proofClaims, ath: sha256(token) },
    pair,
    'ES256',
  );
  return {
    token,
    proof,
    method: 'POST',
    target: '/mcp',
    raw: ['Host', 'gw.example', 'Authorization', `DPoP ${token}`, 'DPoP', proof],
  };
};
const withToken = (key: string, make: () => string) =>
  build({ token: tokens.get(key) ?? (tokens.set(key, make()), tokens.get(key)!) });
const tokenOf = (claims: Json, header: Json = {}, pair = as) => {
  const base = sound();
  return mint(
    { ...base.tokenHeader, ...header },
    { ...base.tokenClaims, exp: seconds() + 3000, ...claims },
    pair,
    'RS256',
  );
};
const CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/~ ,';
/** One character of the text is another, missing, or has company. */
const misspell = (text: string, at: number, how: number, by: string): string | undefined => {
  const i = at % text.length;
  const [before, character, after] = [text.slice(0, i), text.charAt(i), text.slice(i + 1)];
  const changed = [before + by + after, before + after, before + by + character + after][how];
  return changed === text ? undefined : changed;
};

const at = fc.nat(5000);
const how = fc.integer({ min: 0, max: 2 });
const by = fc.constantFrom(...CHARACTERS);
const junk = fc.constantFrom<unknown>(undefined, null, '', 0, true, [], {}, ['x'], { a: 1 }, 1e308, -1);
const pick = <T>(...values: T[]) => fc.constantFrom(...values);
const without = (o: Json): Json => Object.fromEntries(Object.entries(o).filter(([, v]) => v !== undefined));
const replaceHeader = (parts: Parts, name: string, value: string): Parts => ({
  ...parts,
  raw: parts.raw.map((v, i) => (parts.raw[i - 1] === name && i % 2 === 1 ? value : v)),
});
const proofWith = (header: Json, claims: Json = {}, pair = client) => {
  const base = sound();
  return build({
    header: without({ ...base.proofHeader, ...header }),
    claims: without({ ...base.proofClaims, ath: sha256(usual), ...claims }),
    pair,
  });
};
const doubled = (o: Json, name: string, value: unknown) =>
  JSON.stringify(o).replace('{', `{${JSON.stringify(name)}:${JSON.stringify(value)},`);

/**
 * Each makes a request that differs from a sound one in one thing; `undefined`: the draw happened to change
 * nothing.
 */
const MUTATIONS: Record<string, fc.Arbitrary<Parts | undefined>> = {
  'a character of the proof': fc.tuple(at, how, by).map(([i, h, c]) => {
    const p = build({});
    const text = misspell(p.proof, i, h, c);
    return text === undefined || text.trim() === p.proof ? undefined : replaceHeader(p, 'DPoP', text);
  }),
  'a character of the token': fc.tuple(at, how, by).map(([i, h, c]) => {
    const p = build({});
    const text = misspell(p.token, i, h, c);
    return text === undefined || text.trim() === p.token
      ? undefined
      : replaceHeader(p, 'Authorization', `DPoP ${text}`);
  }),
  'another spelling of the same octets': fc
    .tuple(pick('DPoP', 'Authorization'), pick(1, 2, 3))
    .map(([name, bits]) => {
      const p = build({});
      const text = name === 'DPoP' ? p.proof : p.token;
      // 64 and 256 octets leave four bits of the last character unused: A, Q, g or w.
      const spelled = text.slice(0, -1) + String.fromCharCode(text.charCodeAt(text.length - 1) + bits);
      return replaceHeader(p, name, name === 'DPoP' ? spelled : `DPoP ${spelled}`);
    }),
  'a claim of the proof': fc
    .tuple(pick('jti', 'htm', 'htu', 'iat', 'ath'), junk)
    .map(([name, value]) => (name === 'iat' && value === 0 ? undefined : proofWith({}, { [name]: value }))),
  'a member of the header': fc
    .tuple(pick('typ', 'alg', 'jwk'), junk)
    .map(([name, value]) => proofWith({ [name]: value })),
  'a critical member': pick<Json>({ crit: ['exp'] }, { b64: false }, { crit: [] }).map((h) => proofWith(h)),
  'another typ': pick('JWT', 'at+jwt', 'application/dpop+jwt', 'DPoP+jwt').map((typ) => proofWith({ typ })),
  'another alg': pick('none', 'HS256', 'RS256', 'PS256', 'ES384', 'EdDSA', 'ES256K').map((alg) =>
    proofWith({ alg }),
  ),
  'another method': pick('GET', 'post', 'PUT', 'DELETE', 'OPTIONS').map((htm) => proofWith({}, { htm })),
  'another URI': fc
    .oneof(
      pick(
        'http://gw.example/mcp',
        'https://gw.example/mcp/',
        'https://gw.example/',
        'https://other.example/mcp',
        'https://gw.example:444/mcp',
        'https://gw.example/mcp%2f',
        'https://gw.example//mcp',
        'https://u@gw.example/mcp',
      ),
      fc
        .stringMatching(/^[a-z0-9]{1,12}$/)
        .filter((s) => s !== 'mcp')
        .map((s) => `https://gw.example/${s}`),
    )
    .map((htu) => proofWith({}, { htu })),
  'another time': fc
    .integer({ min: -10_000_000, max: 10_000_000 })
    .filter((n) => n < -305 || n > 65)
    .map((off) => proofWith({}, { iat: seconds() + off })),
  'an end that has come': fc
    .integer({ min: 70, max: 100_000 })
    .map((ago) => proofWith({}, { exp: seconds() - ago })),
  "another token's hash": fc.stringMatching(/^[A-Za-z0-9_-]{43}$/).map((ath) => proofWith({}, { ath })),
  'another signer': fc.constant(null).map(() => proofWith({}, {}, other)),
  'another key altogether': fc.constant(null).map(() => {
    const { kty, crv, x, y } = jwkOf(other);
    return proofWith({ jwk: { kty, crv, x, y } }, {}, other);
  }),
  'a private member': fc
    .tuple(
      pick('d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'),
      junk.filter((v) => v !== undefined),
    )
    .map(([name, value]) => proofWith({ jwk: { ...(sound().proofHeader.jwk as Json), [name]: value } })),
  'a repeated member': pick<[string, unknown]>(
    ['htm', 'GET'],
    ['jti', 'x'],
    ['iat', 1],
    ['htu', HTU],
    ['ath', 'x'],
  ).map(([name, value]) =>
    build({ claims: doubled({ ...sound().proofClaims, ath: sha256(usual) }, name, value) }),
  ),
  'a claim of the token': fc
    .tuple(pick('iss', 'sub', 'client_id', 'aud', 'iat', 'exp', 'jti', 'cnf'), junk)
    .map(([name, value]) =>
      name === 'iat' && value === 0
        ? undefined
        : withToken(`${name} ${JSON.stringify(value)}`, () => tokenOf({ [name]: value })),
    ),
  'another audience': pick(
    'https://gw.example',
    `${HTU}/`,
    'https://other.example/mcp',
    HTU.toUpperCase(),
  ).map((aud) => withToken(`aud ${aud}`, () => tokenOf({ aud }))),
  'a token for another key': pick(thumbprint(other), jkt.slice(1), `${jkt}A`, jkt.toLowerCase()).map(
    (wrong) => withToken(`jkt ${wrong}`, () => tokenOf({ cnf: { jkt: wrong } })),
  ),
  'a token of another kind': pick('JWT', 'dpop+jwt', 'id+jwt', '').map((typ) =>
    withToken(`typ ${typ}`, () => tokenOf({}, { typ })),
  ),
  'a token of another signer': fc.constant(null).map(() => withToken('signer', () => tokenOf({}, {}, rsa()))),
  'an old token': fc
    .integer({ min: 1, max: 20 })
    .map((n) => withToken(`old ${n}`, () => tokenOf({ exp: seconds() - 70 * n }))),
  'another scheme': pick('Bearer', 'Basic', 'DPoPx', 'GNAP').map((scheme) => {
    const p = build({});
    return replaceHeader(p, 'Authorization', `${scheme} ${p.token}`);
  }),
  'a header more or less': fc
    .tuple(pick('DPoP', 'Authorization', 'Host'), fc.boolean())
    .map(([name, more]) => {
      const p = build({});
      const i = p.raw.indexOf(name);
      return {
        ...p,
        raw: more ? [...p.raw, name, p.raw[i + 1]!] : p.raw.filter((_, j) => j !== i && j !== i + 1),
      };
    }),
  'two proofs in one field': fc.constant(null).map(() => {
    const p = build({});
    return replaceHeader(p, 'DPoP', `${p.proof}, ${p.proof}`);
  }),
  "the request's method": pick('GET', 'DELETE', 'PUT', 'HEAD', 'post').map((method) => ({
    ...build({}),
    method,
  })),
  "the request's path": fc
    .oneof(
      pick(
        '/mcp/',
        '/mcp/a',
        '//mcp',
        '/mcp/..',
        '/mcp%2f',
        '/MCP',
        '/mcp;a',
        '/',
        '/mcp#a',
        '/mcp?access_token=x',
      ),
      fc.stringMatching(/^\/mcp\/[a-z0-9]{1,20}$/),
    )
    .map((target) => ({ ...build({}), target })),
  'a second use': fc.constant(null).map(() => build({})),
};

it('a sound request passes, whatever key made its proof', async () => {
  const pairs: [string, Pair][] = [
    ['ES256', client],
    ['ES384', ec('P-384')],
    ['PS256', rsa()],
    ['RS256', rsa()],
    ['EdDSA', ed25519()],
    ['Ed25519', ed25519()],
  ];
  for (let i = 0; i < 200; i++) {
    const [alg, pair] = pairs[randomInt(pairs.length)]!;
    const token = tokenOf({ cnf: { jkt: thumbprint(pair) } });
    const { kty, crv, x, y, n, e } = jwkOf(pair);
    const proof = mint(
      without({ typ: 'dpop+jwt', alg, jwk: without({ kty, crv, x, y, n, e }) }),
      { ...sound().proofClaims, ath: sha256(token) },
      pair,
      alg,
    );
    expect(
      await pipeline.decide('POST', '/mcp', [
        'Host',
        'gw.example',
        'Authorization',
        `DPoP ${token}`,
        'DPoP',
        proof,
      ]),
    ).toBe('ok');
  }
  expect(await pipeline.decide('POST', '/mcp', build({}).raw)).toBe('ok');
});

it(`any one change makes it refused: ${CASES} of them, of every kind`, async () => {
  const counted = new Map<string, number>();
  const kinds = Object.entries(MUTATIONS).map(([kind, parts]) => parts.map((made) => ({ kind, made })));
  await fc.assert(
    fc.asyncProperty(fc.oneof(...kinds), async ({ kind, made }) => {
      fc.pre(made !== undefined);
      counted.set(kind, (counted.get(kind) ?? 0) + 1);
      if (kind === 'a second use')
        expect(await pipeline.decide(made.method, made.target, made.raw)).toBe('ok');
      expect(await pipeline.decide(made.method, made.target, made.raw)).not.toBe('ok');
    }),
    { numRuns: CASES },
  );
  expect([...counted.values()].reduce((a, b) => a + b)).toBeGreaterThanOrEqual(10_000);
  expect(Object.keys(MUTATIONS).filter((kind) => (counted.get(kind) ?? 0) < 50)).toEqual([]);
}, 300_000);
