import assert from 'node:assert/strict';
import { calculateJwkThumbprint, type JWK } from 'jose';
import { importJwk } from '../../src/checks/jwk.js';
import { parseJwks } from '../../src/keys/parse-jwks.js';
import type { Target } from './target.js';

/** RFC 7518 6.2.2, 6.3.2, 6.4.1. */
const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

/**
 * A set that is taken has no private member; its keys are public ones, with the thumbprint that jose gives
 * them, and none is weaker than it may be.
 */
export const jwks: Target = {
  name: 'jwks',
  words: [
    '"keys":[',
    '"kty":"EC"',
    '"kty":"RSA"',
    '"crv":"P-256"',
    '"d":"x"',
    '"k":""',
    '"use":"enc"',
    '"alg":"HS256"',
    '"kid":"a"',
    '"AQAB"',
    '__proto__',
  ],
  json: true,
  async check(input) {
    const text = input.toString('utf8');
    const parsed = parseJwks(text);
    if (!parsed.ok) {
      assert.notEqual(parsed.problems.length, 0);
      return;
    }
    const { keys } = JSON.parse(text) as { keys: unknown[] };
    for (const jwk of keys) {
      if (typeof jwk !== 'object' || jwk === null) continue;
      assert.deepEqual(
        PRIVATE.filter((name) => name in jwk),
        [],
      );
      const imported = importJwk(jwk);
      if (imported.ok) assert.equal(imported.thumbprint, await calculateJwkThumbprint(jwk as JWK));
    }
    for (const { key, algorithms } of parsed.keys) {
      assert.equal(key.type, 'public');
      assert.notEqual(algorithms.length, 0);
      if (key.asymmetricKeyType === 'rsa')
        assert.ok(key.asymmetricKeyDetails!.modulusLength! >= 2048, 'a short RSA key');
    }
  },
};
