import assert from 'node:assert/strict';
import { htuFits } from '../../src/checks/target.js';
import { canonicalPath, isHost, normalisePercent, parseHtu, parseOrigin } from '../../src/checks/uri.js';
import type { Target } from './target.js';

/** With a host that WHATWG leaves as it is: not a number, no percent, no other characters than a DNS name has. */
const PLAIN_HOST = /^https?:\/\/(?:[a-z0-9-]+\.)*[a-z][a-z0-9-]*[:/]/;

/** A canonical form is one: it is its own, and names what WHATWG's URL names. */
export const uri: Target = {
  name: 'uri',
  words: [
    'https://',
    'http://',
    '/',
    '//',
    '/../',
    '/./',
    '%2e',
    '%2F',
    '%C3%A9',
    '%41',
    '?',
    '#',
    ':443',
    ':80',
    ':',
    '@',
    ';',
    '[::1]',
    'a.example',
    '/mcp',
    '\\',
  ],
  json: false,
  check(input) {
    const text = input.toString('latin1');
    checkPath(text);
    checkHtu(text);
    const origin = parseOrigin(text);
    if (origin === undefined) return;
    assert.equal(parseOrigin(origin), origin);
    assert.equal(isHost(origin.replace(/^https?:\/\//, '')), true);
  },
};

function checkPath(text: string) {
  const path = canonicalPath(text);
  if (path === undefined) return;
  assert.equal(canonicalPath(path), path);
  assert.equal(new URL(`https://a.example${path}`).pathname, path);
  assert.equal(parseHtu(`https://a.example${path}`)?.uri, `https://a.example${path}`);
  assert.equal(htuFits(`https://a.example${path}`, ['https://a.example'], path, true), true);
  assert.equal(htuFits(`https://b.example${path}`, ['https://a.example'], path, false), false);
}

function checkHtu(text: string) {
  const htu = parseHtu(text);
  if (htu === undefined) return;
  assert.deepEqual(parseHtu(htu.uri), { uri: htu.uri, hasQueryOrFragment: false });
  assert.equal(htu.hasQueryOrFragment, /[?#]/.test(text));
  const other = URL.canParse(text) ? new URL(text) : undefined;
  if (other === undefined || !PLAIN_HOST.test(htu.uri)) return;
  assert.equal(htu.uri, `${other.protocol}//${other.host}${normalisePercent(other.pathname)}`);
}
