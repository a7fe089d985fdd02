import { hash } from 'node:crypto';

/**
 * What a proof is remembered by (RFC 9449 11.1): SHA-256 over profile, owner (thumbprint, or issuer and kid) and jti,
 * each with its length before it, so that no two triples share a text. Not the jti alone: one client could then burn
 * another's. Not htm and htu: a proof is good for one request, wherever.
 */
export function replayKey(profile: string, owner: string, jti: string): Buffer {
  return hash('sha256', `${profile.length}:${profile}${owner.length}:${owner}${jti.length}:${jti}`, 'buffer');
}
