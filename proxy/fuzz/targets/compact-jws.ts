import assert from 'node:assert/strict';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { decodeJsonPart, splitJws } from '../../src/checks/compact-jws.js';
import type { Target } from './target.js';

/** What is read of a compact JWS is what jose reads of it: its header, and claims that are a JSON object. */
export const compactJws: Target = {
  name: 'compact-jws',
  words: ['.', '..', '=', 'eyJ', 'e30', 'eyJhbGciOiJFUzI1NiJ9', 'eyJhIjoxfQ', '-', '_', ' ', '\n'],
  json: false,
  check(input) {
    const text = input.toString('latin1');
    const parts = splitJws(text);
    if (parts === undefined) return;
    assert.equal(`${parts.signed}.${parts.signature}`, text);
    assert.deepEqual([parts.header, parts.payload, parts.signature], text.split('.'));
    const header = decodeJsonPart(parts.header);
    if (header === undefined) return;
    assert.deepEqual({ ...header }, { ...decodeProtectedHeader(text) });
    const payload = decodeJsonPart(parts.payload);
    if (payload !== undefined) assert.deepEqual({ ...payload }, { ...decodeJwt(text) });
    // One spelling of one value: else one proof would have two identities.
    assert.equal(Buffer.from(parts.header, 'base64url').toString('base64url'), parts.header);
  },
};
