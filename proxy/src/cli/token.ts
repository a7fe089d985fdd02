import { parseArgs } from 'node:util';
import { calculateJwkThumbprint, exportJWK } from 'jose';
import { CliError, required, wholeSeconds, type Command } from './command.js';
import { readPrivateKey, readPublicKey } from './key-files.js';
import { htuOf, methodOf, mintBoundToken, mintSelfSigned, type TokenParts } from './minting.js';

type Values = Readonly<Record<string, unknown>>;

/** Of whoever signs a token. */
export const TOKEN_OPTIONS = {
  profile: { type: 'string' },
  key: { type: 'string' },
  kid: { type: 'string' },
  iss: { type: 'string' },
  aud: { type: 'string' },
  ttl: { type: 'string', default: '300' },
  sub: { type: 'string' },
  'client-id': { type: 'string' },
  'dpop-key': { type: 'string' },
} as const;

export const tokenMint: Command = {
  usage: `token mint --key private.pem --kid KID --iss ISS --aud AUD --htm METHOD --htu URL [--ttl SECONDS]
  agw token mint --profile dpop --key as.pem --kid KID --iss ISS --aud AUD --sub SUB --client-id ID (--dpop-key client.pem | --jkt THUMBPRINT) [--ttl SECONDS]`,
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
    if (profile === 'dpop') return out(await boundToken(values, parts));
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
  key: readPrivateKey(required(values, 'key'), 'key'),
  iss: required(values, 'iss'),
  aud: required(values, 'aud'),
  ttlSeconds: wholeSeconds(required(values, 'ttl'), 'ttl', 86_400),
  kid: required(values, 'kid'),
});

export async function boundToken(values: Values, parts: TokenParts): Promise<string> {
  const proofKey = values['dpop-key'];
  const jkt =
    typeof proofKey === 'string'
      ? await calculateJwkThumbprint(await exportJWK(readPublicKey(proofKey, 'dpop-key')))
      : required(values, 'jkt');
  const [sub, clientId] = [required(values, 'sub'), required(values, 'client-id')];
  return mintBoundToken(parts, { sub, clientId, jkt });
}
