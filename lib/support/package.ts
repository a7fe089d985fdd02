import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Two levels up from lib/support and from build/support alike. */
const text = readFileSync(join(__dirname, '..', '..', 'package.json'), 'utf8');

/** Of this package, in the form of a label's value. */
export const VERSION = (JSON.parse(text) as { readonly version: string }).version.replace(/\+/g, '_');
