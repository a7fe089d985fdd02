import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Parsed } from '../../assets/types/config/index';

/** Two levels up from lib/private and from build/private alike. */
const ASSETS = join(__dirname, '..', '..', 'assets');

/** The parser that the proxy runs at start. */
export const { parseConfig } = createRequire(__filename)(join(ASSETS, 'config.cjs')) as { parseConfig(raw: unknown): Parsed };

/** Text of one file of the proxy's code. */
export const asset = (file: string) => readFileSync(join(ASSETS, file), 'utf8');
