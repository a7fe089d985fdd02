/**
 * The attack: proofs that are dear to verify. An ES384 signature costs eleven times one of ES256, and whatever counted
 * requests counted both as one: one caller's sound ES384 proofs took the event loop, although nearly all of them were
 * refused by the rate limit, which came after the verification. Refused ones cost their address as little.
 */
import { ORIGIN, startFixture, type GatewayFixture } from '../support/gateway.js';
import { accessToken, ec, proof, sha256, thumbprint, type Pair } from '../support/mint.js';
import { VERIFICATION_COST } from '../../src/profiles/verify-queue.js';

const COST = VERIFICATION_COST.ES384;
const AN_HOUR = 3600;
const [dear, cheap] = [ec('P-384'), ec()];

let fixture: GatewayFixture | undefined;
afterEach(() => fixture?.stop());
const credentials = (key: Pair, alg: 'ES384' | 'ES256', ath?: string) => {
  const token = accessToken(fixture!.as, { cnf: { jkt: thumbprint(key) } });
  const claims = ath === undefined ? {} : { ath };
  return {
    authorization: `DPoP ${token}`,
    dpop: proof(key, 'POST', `${ORIGIN}/mcp`, token, { header: { alg }, claims }),
  };
};
const forged = (headers: { authorization: string; dpop: string }) => ({
  ...headers,
  dpop: `${headers.dpop.slice(0, -8)}AAAAAAAA`,
});
const ask = async (headers: Record<string, string>) =>
  (await fixture!.ask({ method: 'POST', path: '/mcp', headers })).status;
const askAll = async (headers: readonly Record<string, string>[]) => {
  const statuses = [];
  for (const one of headers) statuses.push(await ask(one));
  return statuses;
};
const many = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);

describe('with a rate limit', () => {
  beforeEach(async () => {
    fixture = await startFixture({
      change: (config) => {
        const rateLimit = { maxTokens: 2 * COST, tokensPerFill: 1, fillIntervalSeconds: AN_HOUR };
        config.routes[0] = { ...config.routes[0]!, rateLimit };
      },
    });
  });

  it('a dear proof counts for what it costs', async () => {
    expect(await askAll(many(3, () => credentials(dear, 'ES384')))).toEqual([200, 200, 429]);
    const statuses = await askAll(many(2 * COST + 1, () => credentials(cheap, 'ES256')));
    expect(statuses.lastIndexOf(200)).toBe(2 * COST - 1);
  });

  it('whoever has nothing left costs no verification, however many come at once', async () => {
    // A signature that would be refused is not even looked at.
    await askAll(many(2, () => credentials(dear, 'ES384')));
    expect(await ask(forged(credentials(dear, 'ES384')))).toBe(429);
    expect(await ask(forged(credentials(cheap, 'ES256')))).toBe(401);
  });

  it('says when a dear one may come again', async () => {
    await askAll(many(2, () => credentials(dear, 'ES384')));
    const { headers } = await fixture!.ask({
      method: 'POST',
      path: '/mcp',
      headers: credentials(dear, 'ES384'),
    });
    expect(headers.ratelimit).toMatch(/^"mcp";r=0;t=\d+$/);
    // Eleven fills, the first of which may have begun.
    expect(Number(headers['retry-after'])).toBeGreaterThan((COST - 1) * AN_HOUR);
    expect(Number(headers['retry-after'])).toBeLessThanOrEqual(COST * AN_HOUR);
  });
});

it('a limit that is smaller than the cost of a dear proof lets one pass when it is full', async () => {
  fixture = await startFixture({
    change: (config) => {
      const rateLimit = { maxTokens: 3, tokensPerFill: 1, fillIntervalSeconds: AN_HOUR };
      config.routes[0] = { ...config.routes[0]!, rateLimit };
    },
  });
  expect(await askAll(many(2, () => credentials(dear, 'ES384')))).toEqual([200, 429]);
});

describe('of one address', () => {
  const begin = async (limits: object) => {
    fixture = await startFixture({
      change: (config) => {
        config.limits = limits;
      },
    });
  };
  const limit = { maxTokens: 2 * COST, tokensPerSecond: 0.001 };

  it.each([
    ['a signature that does not verify', () => forged(credentials(dear, 'ES384'))],
    ['a key that the token is not bound to', () => boundElsewhere()],
  ])('a refusal counts for what it cost: %s', async (_, make) => {
    await begin({ refusalsPerAddress: { ...limit, tokensPerSecond: 1 } });
    const statuses = await Promise.all(many(20, () => ask(make())));
    expect(statuses.filter((status) => status === 401).length).toBeLessThanOrEqual(4);
    expect(statuses).toContain(429);
  });

  it('a refusal before its signature was looked at counts as one', async () => {
    await begin({ refusalsPerAddress: { ...limit, tokensPerSecond: 1 } });
    const statuses = await askAll(many(2 * COST - 1, () => credentials(dear, 'ES384', sha256('another'))));
    expect(statuses).toEqual(Array(2 * COST - 1).fill(401));
  });

  it('a request counts for what it costs', async () => {
    await begin({ requestsPerAddress: { ...limit, tokensPerSecond: 1 } });
    const statuses = await Promise.all(many(20, () => ask(credentials(dear, 'ES384'))));
    expect(statuses.filter((status) => status === 200).length).toBeLessThanOrEqual(2);
    expect(statuses).toContain(429);
  });

  function boundElsewhere() {
    const token = accessToken(fixture!.as, { cnf: { jkt: thumbprint(cheap) } });
    const dpop = proof(dear, 'POST', `${ORIGIN}/mcp`, token, { header: { alg: 'ES384' } });
    return { authorization: `DPoP ${token}`, dpop };
  }
});
