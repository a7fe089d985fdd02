import { parseArgs } from 'node:util';
import { exportJWK } from 'jose';
import { parseJwks } from '../keys/parse-jwks.js';
import { CliError, required, type Command } from './command.js';
import {
  algorithmOf,
  mustBeNew,
  PASSPHRASE_OPTION,
  readPublicKey,
  readText,
  replaceFile,
} from './key-files.js';

interface JwkSet {
  keys: Record<string, unknown>[];
}

/** As the gateway will read it: what it would refuse, or ignore as no good, is refused here. */
function readSet(file: string): JwkSet {
  const text = readText(file, 'jwks');
  const parsed = parseJwks(text);
  const problems = parsed.ok ? parsed.invalid : parsed.problems;
  if (problems.length > 0)
    throw new CliError('--jwks', `must be a JWK Set of public keys (${problems.join('; ')})`, file);
  return JSON.parse(text) as JwkSet;
}

const textOf = (set: JwkSet) => `${JSON.stringify(set, null, 2)}\n`;

interface KeyValues {
  readonly key?: string | undefined;
  readonly alg?: string | undefined;
  readonly 'key-passphrase-file'?: string | undefined;
}

async function publicJwk(values: KeyValues, kid: string): Promise<Record<string, unknown>> {
  const key = readPublicKey({ ...values }, 'key');
  const jwk = { ...(await exportJWK(key)), kid, use: 'sig', alg: values.alg ?? algorithmOf(key, 'key') };
  const parsed = parseJwks(JSON.stringify({ keys: [jwk] }));
  if (!parsed.ok)
    throw new CliError(
      '--key',
      `must be a key that the gateway accepts (${parsed.problems.join('; ')})`,
      values.key,
    );
  return jwk;
}

export const jwksCreate: Command = {
  usage:
    'jwks create --key public.pem --kid KID --out jwks.json [--alg ALG] [--key-passphrase-file FILE] [--force]',
  summary: 'makes a JWK Set of one public key',
  async run(args, { out }) {
    const { values } = parseArgs({
      args: [...args],
      options: {
        key: { type: 'string' },
        ...PASSPHRASE_OPTION,
        kid: { type: 'string' },
        out: { type: 'string' },
        alg: { type: 'string' },
        force: { type: 'boolean', default: false },
      },
    });
    const file = required(values, 'out');
    const jwk = await publicJwk(values, required(values, 'kid'));
    if (!values.force) mustBeNew(file, 'out', 'add the key with "agw jwks add", or say --force');
    replaceFile(file, textOf({ keys: [jwk] }), 0o644);
    out(`${file}: 1 key, ${String(jwk.kid)}`);
  },
};

export const jwksAdd: Command = {
  usage: 'jwks add --jwks jwks.json --key public.pem --kid KID [--alg ALG] [--key-passphrase-file FILE]',
  summary: 'adds the next key to a JWK Set',
  async run(args, { out }) {
    const { values } = parseArgs({
      args: [...args],
      options: {
        jwks: { type: 'string' },
        key: { type: 'string' },
        ...PASSPHRASE_OPTION,
        kid: { type: 'string' },
        alg: { type: 'string' },
      },
    });
    const file = required(values, 'jwks');
    const kid = required(values, 'kid');
    const set = readSet(file);
    if (set.keys.some((k) => k.kid === kid))
      throw new CliError(
        '--kid',
        'must be new to the set',
        kid,
        'a kid names one key for ever: choose the next one',
      );
    set.keys.push(await publicJwk(values, kid));
    replaceFile(file, textOf(set), 0o644);
    out(
      `${file}: ${set.keys.length} keys; deploy it, move the clients to ${kid}, then "agw jwks retire" the old one`,
    );
  },
};

export const jwksRetire: Command = {
  usage: 'jwks retire --jwks jwks.json --kid KID',
  summary: 'takes a key out of a JWK Set',
  async run(args, { out }) {
    const { values } = parseArgs({
      args: [...args],
      options: { jwks: { type: 'string' }, kid: { type: 'string' } },
    });
    const file = required(values, 'jwks');
    const kid = required(values, 'kid');
    const set = readSet(file);
    const rest = set.keys.filter((k) => k.kid !== kid);
    if (rest.length === set.keys.length)
      throw new CliError(
        '--kid',
        `must be in the set, which has ${set.keys.map((k) => String(k.kid)).join(', ')}`,
        kid,
      );
    if (rest.length === 0)
      throw new CliError(
        '--kid',
        'must not be the only key of the set: no client could call',
        kid,
        'add its successor first',
      );
    replaceFile(file, textOf({ keys: rest }), 0o644);
    out(`${file}: ${rest.length} key(s) left; tokens of ${kid} are refused once it is deployed`);
  },
};
