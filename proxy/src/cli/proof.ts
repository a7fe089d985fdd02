import { createPublicKey, hash, randomUUID } from 'node:crypto';
import { parseArgs } from 'node:util';
import { SignJWT, exportJWK } from 'jose';
import { wallClock } from '../clock.js';
import { required, type Command } from './command.js';
import { algorithmOf, readPrivateKey } from './key-files.js';

export const proofMint: Command = {
  usage: 'proof mint --key client.pem --htm METHOD --htu URL [--token ACCESS_TOKEN] [--nonce NONCE]',
  summary: 'prints a DPoP proof for one request (RFC 9449)',
  async run(args, { out }) {
    const { values } = parseArgs({
      args: [...args],
      options: {
        key: { type: 'string' },
        htm: { type: 'string' },
        htu: { type: 'string' },
        token: { type: 'string' },
        nonce: { type: 'string' },
      },
    });
    const key = readPrivateKey(required(values, 'key'), 'key');
    const claims = {
      jti: randomUUID(),
      htm: required(values, 'htm').toUpperCase(),
      htu: required(values, 'htu'),
      iat: Math.floor(wallClock()),
      ...(values.token === undefined ? {} : { ath: hash('sha256', values.token, 'base64url') }),
      ...(values.nonce === undefined ? {} : { nonce: values.nonce }),
    };
    const jwk = await exportJWK(createPublicKey(key));
    out(
      await new SignJWT(claims)
        .setProtectedHeader({ typ: 'dpop+jwt', alg: algorithmOf(key, 'key'), jwk })
        .sign(key),
    ); // RFC 9449 4.2
  },
};
