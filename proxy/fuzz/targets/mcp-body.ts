import assert from 'node:assert/strict';
import { decodeMcpHeader, readCalls } from '../../src/checks/mcp.js';
import type { Target } from './target.js';

const NAMED: Readonly<Record<string, string>> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
  'resources/subscribe': 'uri',
  'resources/unsubscribe': 'uri',
};

/**
 * The calls that rules check are those that JSON.parse gives, and those of a reader that ignores the case of
 * names and takes the last.
 */
export const mcpBody: Target = {
  name: 'mcp-body',
  words: [
    '"jsonrpc"',
    '"id"',
    '"method"',
    '"Method"',
    '"params"',
    '"paramſ"',
    '"name"',
    '"NAME"',
    '"uri"',
    '"tools/call"',
    '"resources/read"',
    '[',
    ']',
    '{',
    '}',
    ',',
    ':',
    '\ufeff',
    '=?base64?',
    '?=',
  ],
  json: true,
  check(input) {
    checkHeader(input.toString('latin1'));
    const calls = readCalls(input);
    if (calls === undefined) return;
    const body = JSON.parse(input.toString('utf8')) as unknown;
    const messages = (Array.isArray(body) ? body : [body]) as Record<string, unknown>[];
    assert.equal(calls.length, messages.length);
    messages.forEach((message, i) => {
      const { method, name } = calls[i]!;
      assert.equal(member(message, 'method'), method);
      const key = method === undefined || !Object.hasOwn(NAMED, method) ? undefined : NAMED[method];
      if (key !== undefined) assert.equal(member(member(message, 'params'), key), name);
    });
  },
};

/** The last member whose name is this one in any case. */
function member(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  const fold = (key: string) => key.toUpperCase().toLowerCase();
  return Object.entries(value).findLast(([key]) => fold(key) === fold(name))?.[1];
}

function checkHeader(text: string) {
  const value = decodeMcpHeader(text);
  if (value === undefined || value === text) return;
  assert.equal(`=?base64?${Buffer.from(value).toString('base64')}?=`, text);
}
