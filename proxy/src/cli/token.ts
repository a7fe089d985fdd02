import type { KeyObject } from 'node:crypto';
import { parseArgs } from 'node:util';
import { calculateJwkThumbprint, exportJWK } from 'jose';
import { CliError, required, wholeSeconds, type Command } from './command.js';
import { readPublicKey } from './key-files.js';
import { htuOf, methodOf, mintBoundToken, mintSelfSigned, type TokenParts } from './minting.js';
import { readSigningKey, SIGNER_OPTIONS } from './signer.js';

type Values = Readonly<Record<string, unknown>>;

/** Of whoever signs a token. */
export const TOKEN_OPTIONS = {
  profile: { type: 'string' },
  ...SIGNER_OPTIONS,
  kid: { type: 'string' },
  iss: { type: 'string' },
  aud: { type: 'string' },
  ttl: { type: 'string', default: '300' },
  sub: { type: 'string' },
  'client-id': { type: 'string' },
  'dpop-key': { type: 'string' },
} as const;

export const tokenMint: Command = {
  usage: [
    'token mint --key private.pem --kid KID --iss ISS --aud AUD --htm METHOD --htu URL [--ttl SECONDS]',
    '  agw token mint --profile dpop --key as.pem --kid KID --iss ISS --aud AUD --sub SUB --client-id ID' +
      ' (--dpop-key client.pem | --jkt THUMBPRINT) [--ttl SECONDS]',
    '  and [--key-passphrase-file FILE] for keys that are encrypted; or --signer COMMAND --public KEY for --key:' +
      ' COMMAND reads what is to be signed and prints the signature in base64url',
  ].join('\n'),
  summary: 'prints a self-signed token for one request; or an access token, for tests of a gateway',
  async run(args, { out }) {
    const { values } = parseArgs({
      args: [...args],
      options: {
        ...TOKEN_OPTIONS,
        htm: { type: 'string' },
        htu: { type: 'string' },
        jkt: { type: 'string' },
      },
    });
    const profile = profileOf(values);
    const parts = tokenParts(values);
    if (profile === 'dpop') {
      const jkt =
        values['dpop-key'] === undefined
          ? required(values, 'jkt')
          : await thumbprintOf(readPublicKey(values, 'dpop-key'));
      return out(await boundToken(values, parts, jkt));
    }
    const htm = methodOf(required(values, 'htm'), '--htm');
    const htu = htuOf(required(values, 'htu'), '--htu');
    out(await mintSelfSigned(parts, { htm, htu }));
  },
};

export function profileOf({ profile = 'selfSigned' }: Values): 'selfSigned' | 'dpop' {
  if (profile !== 'selfSigned' && profile !== 'dpop')
    throw new CliError('--profile', 'must be selfSigned or dpop', String(profile));
  return profile;
}

export const tokenParts = (values: Values): TokenParts => ({
  key: readSigningKey(values),
  iss: required(values, 'iss'),
  aud: required(values, 'aud'),
  ttlSeconds: wholeSeconds(required(values, 'ttl'), 'ttl', 86_400),
  kid: required(values, 'kid'),
});

/** RFC 7638. */
export const thumbprintOf = async (publicKey: KeyObject): Promise<string> =>
  calculateJwkThumbprint(await exportJWK(publicKey));

export const boundToken = (values: Values, parts: TokenParts, jkt: string): Promise<string> =>
  mintBoundToken(parts, { sub: required(values, 'sub'), clientId: required(values, 'client-id'), jkt });
