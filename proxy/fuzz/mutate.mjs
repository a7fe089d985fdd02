// New inputs from old ones: bytes, words of the target, pieces of other inputs and, of JSON, values.

/** mulberry32. */
export function random(seed) {
  let state = seed | 0;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (n) => Math.floor(next() * n);
  return { below, of: (list) => list[below(list.length)], chance: (p) => next() < p };
}

const MAX_BYTES = 4_096;
const VALUES = [
  null,
  true,
  false,
  0,
  1,
  -1,
  1.5,
  2 ** 53,
  65_536,
  '',
  'a',
  'x'.repeat(300),
  [],
  {},
  '__proto__',
  '*',
  '/',
  '0.0.0.0/0',
];
const replaced = (bytes, at, cut, piece) =>
  Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(Math.min(bytes.length, at + cut))]);

const OF_BYTES = [
  (r, b) => replaced(b, r.below(b.length + 1), 1, Buffer.from([r.below(256)])),
  (r, b) => replaced(b, r.below(b.length + 1), 0, Buffer.from([r.below(128)])),
  (r, b) => replaced(b, r.below(b.length + 1), 1 + r.below(8), Buffer.alloc(0)),
  (r, b, { words }) => replaced(b, r.below(b.length + 1), 0, Buffer.from(r.of(words))),
  (r, b, { words }) => replaced(b, r.below(b.length + 1), r.below(8), Buffer.from(r.of(words))),
  (r, b) => {
    const from = r.below(b.length + 1);
    return replaced(b, r.below(b.length + 1), 0, b.subarray(from, from + 1 + r.below(32)));
  },
  (r, b, _, other) => {
    const from = r.below(other.length + 1);
    return replaced(b, r.below(b.length + 1), r.below(32), other.subarray(from, from + 1 + r.below(64)));
  },
];

/** Every place of a JSON value: the object or array, and the key. */
function placesIn(value, places = []) {
  if (typeof value !== 'object' || value === null) return places;
  for (const key of Object.keys(value)) {
    places.push([value, key]);
    placesIn(value[key], places);
  }
  return places;
}
const OF_VALUES = [
  (r, [o, key]) => (o[key] = r.of(VALUES)),
  (r, [o, key]) => (Array.isArray(o) ? o.splice(Number(key), 1) : delete o[key]),
  (r, [o, key], [other, at]) => (o[key] = other[at]),
  (r, [o, key], [other, at]) => (Array.isArray(o) ? o.push(other[at]) : (o[at] = other[at])),
];
function ofJson(r, bytes, other) {
  try {
    const value = JSON.parse(bytes.toString());
    const mine = placesIn(value);
    const theirs = placesIn(r.chance(0.5) ? JSON.parse(other.toString()) : structuredClone(value));
    if (mine.length === 0 || theirs.length === 0) return bytes;
    r.of(OF_VALUES)(r, r.of(mine), r.of(theirs));
    return Buffer.from(JSON.stringify(value));
  } catch {
    return bytes; // no JSON any more, or a circle
  }
}

/** @param other another input, to take pieces of */
export function mutate(r, input, target, other) {
  let bytes = input;
  for (let n = 1 + r.below(4); n > 0; n--)
    bytes = target.json && r.chance(0.5) ? ofJson(r, bytes, other) : r.of(OF_BYTES)(r, bytes, target, other);
  return bytes.subarray(0, MAX_BYTES);
}
