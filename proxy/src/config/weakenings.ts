import type { Config } from './schema.js';

/**
 * What a config gives up of the gateway's protection, said at every start and by `agw check`: allowed, but
 * never in silence.
 */
export function weakenings({ issuers, routes, replay }: Config): string[] {
  const found: string[] = [];
  issuers.forEach((issuer, i) => {
    if (issuer.legacyTyp)
      found.push(
        `issuers[${i}].legacyTyp: any bound JWT of ${issuer.issuer} for this audience that has no claim of ` +
          'another use passes as an access token',
      );
  });
  routes.forEach(({ name, auth }, i) => {
    const where = `routes[${i}].auth`;
    if (auth.mode === 'optional')
      found.push(`${where}.mode: "${name}" is open to requests without credentials`);
    if (auth.mode === 'permissive') found.push(`${where}.mode: "${name}" refuses nothing, it only records`);
    if (auth.profile === 'mixed')
      found.push(`${where}.profile: "${name}" takes unbound tokens, which whoever steals them can use`);
    if (auth.profile === 'selfSigned' && !auth.enforceHtuHtm)
      found.push(`${where}.enforceHtuHtm: a token for "${name}" is good for any method and path`);
  });
  if (replay.store === 'redis' && replay.onStoreFailure !== 'deny') {
    const effect =
      replay.onStoreFailure === 'local'
        ? 'every replica takes a stolen proof once'
        : 'a stolen proof can be used again';
    found.push(`replay.onStoreFailure: while Redis is away ${effect}`);
  }
  return found;
}
