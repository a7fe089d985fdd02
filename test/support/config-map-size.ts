/** How much of a ConfigMap's room is used, in the bytes of the annotation that `kubectl apply` writes. */

import { ANNOTATION_LIMIT, annotationBytes } from '../../lib/support/annotation';

export { ANNOTATION_LIMIT, annotationBytes };

export interface ConfigMap {
  readonly metadata: { readonly name: string };
  readonly data: Readonly<Record<string, string>>;
}

/**
 * Our own code grows with every change, so half of its maps stays free. A library grows when somebody updates
 * it, so an eighth does.
 */
const budgetOf = ({ data }: ConfigMap): number => {
  const carriesOurs = Object.keys(data).some((file) => file.endsWith('.mjs') && !file.startsWith('vendor-'));
  return carriesOurs ? ANNOTATION_LIMIT / 2 : (ANNOTATION_LIMIT / 8) * 7;
};

/** One line a ConfigMap that is beyond its budget: which, how far, what its files take, what to do. */
export function beyondBudget(maps: readonly ConfigMap[]): string[] {
  return maps.flatMap((map) => {
    const bytes = annotationBytes(map);
    const budget = budgetOf(map);
    if (bytes <= budget) return [];
    const files = Object.entries(map.data).map(([file, text]) => `${file} ${Buffer.byteLength(text)}`);
    return [
      `${map.metadata.name}: must take at most ${budget} bytes of kubectl's annotation, got ${bytes} ` +
        `(${ANNOTATION_LIMIT - bytes} left until kubectl apply fails; ${files.join(', ')}). ` +
        'Give one of its files a ConfigMap of its own in CONTENT of lib/manifests/config-maps.ts, ' +
        'or one of its rooms a chunk of its own in CHUNKS of proxy/bundle.mjs.',
    ];
  });
}
