const MAX_EDITS = 2;

/** The known word that is fewest edits away, whatever the case of its letters; none where all are over two away. */
export function nearestWord(word: string, known: readonly string[]): string | undefined {
  return known
    .map((k) => [distance(word.toLowerCase(), k.toLowerCase()), k] as const)
    .filter(([edits]) => edits <= MAX_EDITS)
    .sort((a, b) => a[0] - b[0])[0]?.[1];
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length]!;
}
