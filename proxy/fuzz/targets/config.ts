import assert from 'node:assert/strict';
import { parseConfig, parseConfigText } from '../../src/config/index.js';
import type { Target } from './target.js';

/** Where, as a path of keys, indices and, in brackets, JSON; and what is wanted there. */
const PROBLEM = /^(?:[\w.-]|\[(?:\d+|"(?:[^"\\]|\\.)*")\])+: \S/s;

/** Every text is a config that parses again to itself, or has errors that each say where. */
export const config: Target = {
  name: 'config',
  words: [
    '"version":1',
    '"routes":',
    '"issuers":',
    '"replay":',
    '"store":"redis"',
    '"kind":"secrets"',
    '"profile":"mixed"',
    '"mode":"optional"',
    '"allow":',
    '"https://gw.example"',
    '0',
    '-1',
    '1e309',
    'null',
    '""',
    '__proto__',
  ],
  json: true,
  check(input) {
    const parsed = parseConfigText(input.toString('utf8'));
    if (!parsed.ok) {
      assert.notEqual(parsed.problems.length, 0);
      for (const problem of parsed.problems) assert.match(problem, PROBLEM);
      return;
    }
    const again = parseConfig(JSON.parse(JSON.stringify(parsed.config)));
    assert.deepEqual(again, parsed);
  },
};
