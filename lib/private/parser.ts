import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Parsed } from '../../assets/types/config/index';

/** Two levels up from lib/private and from build/private alike. */
const ASSETS = join(__dirname, '..', '..', 'assets');

type ParsedJwks = { readonly ok: true } | { readonly ok: false; readonly problems: readonly string[] };

/** The parsers that the proxy runs at start, and what they know of address ranges. */
export const { parseConfig, parseJwks, holdsEverybody } = createRequire(__filename)(
  join(ASSETS, 'config.cjs'),
) as {
  parseConfig(raw: unknown): Parsed;
  parseJwks(text: string): ParsedJwks;
  holdsEverybody(ranges: readonly string[]): boolean;
};

/** Files of the proxy's code, by name. */
export const assets = (...files: string[]): Record<string, string> =>
  Object.fromEntries(files.map((file) => [file, readFileSync(join(ASSETS, file), 'utf8')]));
