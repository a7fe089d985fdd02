/** docs/reference/config.md as data. The page is written from the proxy's schema, and names every place. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './synth';

export interface Place {
  readonly takes: string;
  /** Of a number. */
  readonly bounds?: { readonly min: number; readonly max: number };
  /** What stands there when it is left out. */
  readonly fallback?: unknown;
}

const ROW = /^\| `([^`]+)` \| (.+) \| (?:`(.*)`|required|absent) \|$/gm;

/** Both kinds of routes have the same `auth` and `rateLimit`: they count as those of an MCP route. */
export function schemaPlaces(): ReadonlyMap<string, Place> {
  const page = readFileSync(join(root, 'docs', 'reference', 'config.md'), 'utf8');
  return new Map(
    [...page.matchAll(ROW)].map(([, place, takes, fallback]) => {
      const [, min, max] = /number.* from ([\d.]+) to ([\d.]+)/.exec(takes) ?? [];
      return [
        place.replace(/^routes\[\]\{secrets\}\.(auth|rateLimit|timeouts)/, 'routes[]{mcp}.$1'),
        {
          takes,
          ...(min === undefined ? {} : { bounds: { min: Number(min), max: Number(max) } }),
          ...(fallback === undefined ? {} : { fallback: JSON.parse(fallback) as unknown }),
        },
      ];
    }),
  );
}
