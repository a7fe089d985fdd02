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
  it('refuses every object in which a name comes again, however many members, whatever the names and their spelling', () => {
    const names = fc.uniqueArray(fc.oneof(fc.string(), fc.stringMatching(/^[\\"]{1,4}$/)), {
      minLength: 1,
      maxLength: 40,
      size: 'max',
    });
    const escaped = (name: string) =>
      `"${Array.from({ length: name.length }, (_, i) => `\\u${name.charCodeAt(i).toString(16).padStart(4, '0')}`).join('')}"`;
    fc.assert(
      fc.property(names, fc.nat(), fc.constantFrom(JSON.stringify, escaped), (members, which, spell) => {
        const sound = members.map((name) => `${JSON.stringify(name)}:${JSON.stringify(name)}`).join(',');
        expect(parseJsonObject(`{${sound}}`)).toBeDefined();
        expect(parseJsonObject(`{${sound},${spell(members[which % members.length]!)}:0}`)).toBeUndefined();
      }),
      { numRuns: 3000 },
    );
  });
  it('takes one name in several objects', () => {
    expect(parseJsonObject('{"a":{"a":1},"b":[{"a":1},{"a":2}],"c":"a\\"","d":","}')).toBeDefined();
  });
});
