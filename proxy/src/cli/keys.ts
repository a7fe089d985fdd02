import { generateKeyPairSync, type KeyPairKeyObjectResult } from 'node:crypto';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { CliError, required, type Command } from './command.js';
import { mustBeNew, replaceFile } from './key-files.js';

function pair(alg: string, bits: number): KeyPairKeyObjectResult {
  switch (alg) {
    case 'RS256':
    case 'PS256':
      return generateKeyPairSync('rsa', { modulusLength: bits });
    case 'ES256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' });
    case 'ES384':
      return generateKeyPairSync('ec', { namedCurve: 'P-384' });
    case 'EdDSA':
      return generateKeyPairSync('ed25519');
    default:
      throw new CliError('--alg', 'must be one of RS256, PS256, ES256, ES384, EdDSA', alg);
  }
}

export const keysGenerate: Command = {
  usage:
    'keys generate --out private.pem [--public public.pem] [--alg RS256|PS256|ES256|ES384|EdDSA] ' +
    '[--bits 2048..4096] [--force]',
  summary: 'makes a private key, and its public half',
  async run(args, { out }) {
    const { values } = parseArgs({
      args: [...args],
      options: {
        out: { type: 'string' },
        public: { type: 'string' },
        alg: { type: 'string', default: 'RS256' },
        bits: { type: 'string', default: '2048' },
        force: { type: 'boolean', default: false },
      },
    });
    const file = required(values, 'out');
    const bits = Number(values.bits);
    if (!Number.isInteger(bits) || bits < 2048 || bits > 4096)
      throw new CliError('--bits', 'must be 2048 to 4096', values.bits);
    // Both files are checked before either is written: half a pair is of no use.
    if (values.public !== undefined && resolve(values.public) === resolve(file))
      throw new CliError('--public', 'must be another file than --out', values.public);
    if (!values.force) {
      mustBeNew(file, 'out');
      if (values.public !== undefined) mustBeNew(values.public, 'public');
    }
    const { publicKey, privateKey } = pair(values.alg, bits);
    replaceFile(file, String(privateKey.export({ type: 'pkcs8', format: 'pem' })), 0o600);
    if (values.public !== undefined)
      replaceFile(values.public, String(publicKey.export({ type: 'spki', format: 'pem' })), 0o644);
    out(`${file}: private key (${values.alg}); keep it offline, it never enters the cluster`);
  },
};
