import { generateKeyPairSync, type KeyPairKeyObjectResult } from 'node:crypto';
import { parseArgs } from 'node:util';
import { CliError, required, type Command } from './command.js';
import { writeNew } from './key-files.js';

function pair(alg: string, bits: number): KeyPairKeyObjectResult {
  switch (alg) {
    case 'RS256': case 'PS256': return generateKeyPairSync('rsa', { modulusLength: bits });
    case 'ES256': return generateKeyPairSync('ec', { namedCurve: 'P-256' });
    case 'ES384': return generateKeyPairSync('ec', { namedCurve: 'P-384' });
    case 'EdDSA': return generateKeyPairSync('ed25519');
    default: throw new CliError('--alg', 'must be one of RS256, PS256, ES256, ES384, EdDSA', alg);
  }
}

export const keysGenerate: Command = {
  usage: 'keys generate --out private.pem [--public public.pem] [--alg RS256|PS256|ES256|ES384|EdDSA] [--bits 2048..4096] [--force]',
  async run(args, { out }) {
    const { values } = parseArgs({ args: [...args], options: {
      'out': { type: 'string' }, 'public': { type: 'string' }, 'alg': { type: 'string', default: 'RS256' }, 'bits': { type: 'string', default: '2048' }, 'force': { type: 'boolean', default: false },
    } });
    const file = required(values, 'out');
    const bits = Number(values.bits);
    if (!Number.isInteger(bits) || bits < 2048 || bits > 4096) throw new CliError('--bits', 'must be 2048 to 4096', values.bits);
    const { publicKey, privateKey } = pair(values.alg, bits);
    writeNew(file, 'out', String(privateKey.export({ type: 'pkcs8', format: 'pem' })), 0o600, values.force);
    if (values.public !== undefined) writeNew(values.public, 'public', String(publicKey.export({ type: 'spki', format: 'pem' })), 0o644, values.force);
    out(`${file}: private key (${values.alg}); keep it offline, it never enters the cluster`);
  },
};
