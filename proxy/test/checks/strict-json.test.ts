import fc from 'fast-check';
import { parseJsonObject } from '../../src/checks/strict-json.js';

describe('parseJsonObject', () => {
  it('reads what JSON.stringify writes of an object that is not too deep', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 })), (value) => {
        const text = JSON.stringify(value);
        expect(parseJsonObject(text)).toEqual(JSON.parse(text));
      }),
      { numRuns: 2000 },
    );
  });
  it.each([
    ['a member twice', '{"a":1,"a":2}'],
    ['a member twice, once escaped', '{"a":1,"\\u0061":2}'],
    ['a member twice, deeper', '{"a":{"b":1,"c":[{"d":1,"d":1}]}}'],
    ['an array', '[1]'],
    ['a string', '"x"'],
    ['null', 'null'],
    ['nothing', ''],
    ['nine levels', '{"a":'.repeat(9) + '1' + '}'.repeat(9)],
    ['text after it', '{"a":1} x'],
  ])('refuses %s', (_, text) => {
    expect(parseJsonObject(text)).toBeUndefined();
  });
  it('refuses every object in which a name comes again, of any size, whatever the names and their spelling', () => {
    const names = fc.uniqueArray(fc.oneof(fc.string(), fc.stringMatching(/^[\\"]{1,4}$/)), {
      minLength: 1,
      maxLength: 40,
      size: 'max',
    });
    const unit = (name: string, at: number) => `\\u${name.charCodeAt(at).toString(16).padStart(4, '0')}`;
    const escaped = (name: string) =>
      `"${Array.from({ length: name.length }, (_, at) => unit(name, at)).join('')}"`;
    fc.assert(
      fc.property(names, fc.nat(), fc.constantFrom(JSON.stringify, escaped), (members, which, spell) => {
        const sound = members.map((name) => `${JSON.stringify(name)}:${JSON.stringify(name)}`).join(',');
        expect(parseJsonObject(`{${sound}}`)).toBeDefined();
        expect(parseJsonObject(`{${sound},${spell(members[which % members.length]!)}:0}`)).toBeUndefined();
      }),
      { numRuns: 3000 },
    );
  });
  it.each([
    ['its whole', '\\u0061bc', 'abc'],
    ['its end', 'meth\\u006f', 'metho'],
    ['a slash, as PHP writes it', 'https:\\/\\/', 'https://'],
  ])('reads an escaped name, whatever name an earlier text had in its place: %s', (_, spelled, name) => {
    parseJsonObject(JSON.stringify({ before: 1, [spelled.slice(0, name.length)]: 2 }));
    expect(parseJsonObject(`{"before":1,"${spelled}":3}`)).toEqual({ before: 1, [name]: 3 });
  });
  it('takes one name in several objects', () => {
    expect(parseJsonObject('{"a":{"a":1},"b":[{"a":1},{"a":2}],"c":"a\\"","d":","}')).toBeDefined();
  });
  it.each([
    ['objects', (n: number) => '{},'.repeat(n - 1)],
    ['arrays', (n: number) => '[],'.repeat(n - 1)],
    ['strings', (n: number) => '"x",'.repeat(n - 1)],
    ['members', (n: number) => `{"x":1},`.repeat((n - 1) / 2)],
  ])('takes as many %s as its bounds say and no more', (_, values) => {
    const text = (n: number) => `{"a":[${values(n)}0]}`; // itself, the name and the array are three
    const bounds = { depth: 8, nodes: 104 };
    expect(parseJsonObject(text(101), bounds)).toBeDefined();
    expect(parseJsonObject(text(103), bounds)).toBeUndefined();
  });
  it('makes nothing of what is beyond its bounds', () => {
    const { parse } = JSON;
    let parsed = 0;
    JSON.parse = (text: string) => {
      parsed += 1;
      return parse(text) as unknown;
    };
    try {
      for (const text of ['['.repeat(1e6), `[${'{},'.repeat(1e6)}0]`, `[${'"x",'.repeat(1e6)}0]`])
        expect(parseJsonObject(`{"a":${text}}`)).toBeUndefined();
      expect(parsed).toBe(0);
      expect(parseJsonObject('{"a":[]}')).toBeDefined();
      expect(parsed).toBe(1);
    } finally {
      JSON.parse = parse;
    }
  });
  it('says no of what is no JSON, whatever it is', () => {
    const pieces = fc.constantFrom('{', '}', '[', ']', ',', ':', '"', '\\', '\\u00', 'a', '1', ' ');
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 40 }), (parts) => {
        const text = parts.join('');
        let isJson = true;
        try {
          JSON.parse(text);
        } catch {
          isJson = false;
        }
        const parsed = parseJsonObject(text);
        if (!isJson) expect(parsed).toBeUndefined();
      }),
      { numRuns: 5000 },
    );
  });
});
