import { randomUUID, type KeyObject } from 'node:crypto';
import { parseArgs } from 'node:util';
import { SignJWT, calculateJwkThumbprint, exportJWK } from 'jose';
import { wallClock } from '../clock.js';
import { CliError, required, wholeSeconds, type Command } from './command.js';
import { algorithmOf, readPrivateKey, readPublicKey } from './key-files.js';

const OPTIONS = {
  profile: { type: 'string', default: 'selfSigned' },
  key: { type: 'string' },
  kid: { type: 'string' },
  iss: { type: 'string' },
  aud: { type: 'string' },
  ttl: { type: 'string', default: '300' },
  htm: { type: 'string' },
  htu: { type: 'string' },
  sub: { type: 'string' },
  'client-id': { type: 'string' },
  jkt: { type: 'string' },
  'dpop-key': { type: 'string' },
} as const;

export const tokenMint: Command = {
  usage: `token mint --key private.pem --kid KID --iss ISS --aud AUD --htm METHOD --htu URL [--ttl SECONDS]
  agw token mint --profile dpop --key as.pem --kid KID --iss ISS --aud AUD --sub SUB --client-id ID (--dpop-key client.pem | --jkt THUMBPRINT) [--ttl SECONDS]`,
  summary: 'prints a self-signed token for one request; or an access token, for tests of a gateway',
  async run(args, { out }) {
    const { values } = parseArgs({ args: [...args], options: OPTIONS });
    if (values.profile !== 'selfSigned' && values.profile !== 'dpop')
      throw new CliError('--profile', 'must be selfSigned or dpop', values.profile);
    const key = readPrivateKey(required(values, 'key'), 'key');
    const now = Math.floor(wallClock());
    const common = {
      iss: required(values, 'iss'),
      aud: required(values, 'aud'),
      jti: randomUUID(),
      iat: now,
      exp: now + wholeSeconds(values.ttl, 'ttl', 86_400),
    };
    const kid = required(values, 'kid');
    out(
      values.profile === 'dpop'
        ? await boundToken(values, common, kid, key)
        : await selfSigned(values, common, kid, key),
    );
  },
};

/** One token, one request: method, URI and a fresh jti. */
async function selfSigned(
  values: Readonly<Record<string, unknown>>,
  common: object,
  kid: string,
  key: KeyObject,
): Promise<string> {
  if (key.asymmetricKeyType !== 'rsa')
    throw new CliError(
      '--key',
      'must be an RSA key: the self-signed profile is RS256',
      key.asymmetricKeyType,
    );
  return new SignJWT({ ...common, htm: required(values, 'htm').toUpperCase(), htu: required(values, 'htu') })
    .setProtectedHeader({ alg: 'RS256', kid })
    .sign(key);
}

/**
 * An access token as an authorization server would issue it (RFC 9068), bound to a proof key (RFC 9449 6.1):
 * for tests of a gateway.
 */
async function boundToken(
  values: Readonly<Record<string, unknown>>,
  common: object,
  kid: string,
  key: KeyObject,
): Promise<string> {
  const proofKey = values['dpop-key'];
  const jkt =
    typeof proofKey === 'string'
      ? await calculateJwkThumbprint(await exportJWK(readPublicKey(proofKey, 'dpop-key')))
      : required(values, 'jkt');
  return new SignJWT({
    ...common,
    sub: required(values, 'sub'),
    client_id: required(values, 'client-id'),
    cnf: { jkt },
  })
    .setProtectedHeader({ typ: 'at+jwt', alg: algorithmOf(key, 'key'), kid })
    .sign(key);
}
