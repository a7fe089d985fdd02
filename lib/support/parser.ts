import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { MemoryUse, Parsed } from '../../assets/types/config/index';
import type { Requirement, VersionedField } from '../../assets/types/kubernetes/cluster-needs';

export type { Requirement };

/** Two levels up from lib/support and from build/support alike. */
const ASSETS = join(__dirname, '..', '..', 'assets');

type ParsedJwks =
  | { readonly ok: true; readonly invalid: readonly string[] }
  | { readonly ok: false; readonly problems: readonly string[] };

interface Parsers {
  parseConfig(raw: unknown): Parsed;
  parseJwks(text: string): ParsedJwks;
  valueProblems(place: string, where: string, value: unknown): readonly string[];
  bytesFor(connections: number, use: MemoryUse): number;
  connectionsIn(bytes: number, use: MemoryUse): number;
  holdsEverybody(ranges: readonly string[]): boolean;
  withoutUserinfo(text: string): string;
  jsonWithoutUserinfo(value: unknown): string | undefined;
  readonly OLDEST_MINOR: number;
  readonly REQUIREMENTS: readonly Requirement[];
  readonly VERSIONED_FIELDS: readonly VersionedField[];
}

/**
 * The parsers that the proxy runs at start, what they know of address ranges, and how they show a value; and what
 * manifests ask of a cluster, which `agw doctor` looks for.
 */
export const {
  parseConfig,
  parseJwks,
  valueProblems,
  holdsEverybody,
  bytesFor,
  connectionsIn,
  withoutUserinfo,
  jsonWithoutUserinfo,
  OLDEST_MINOR,
  REQUIREMENTS,
  VERSIONED_FIELDS,
} = createRequire(__filename)(join(ASSETS, 'config.cjs')) as Parsers;

const assetMaps = new Map<string, Readonly<Record<string, string>>>();

/** Files of the proxy's code, by name. The same names give the same object: it is read and hashed once. */
export function assets(...files: string[]): Readonly<Record<string, string>> {
  const names = files.join();
  const map =
    assetMaps.get(names) ??
    Object.fromEntries(files.map((file) => [file, readFileSync(join(ASSETS, file), 'utf8')]));
  assetMaps.set(names, map);
  return map;
}
