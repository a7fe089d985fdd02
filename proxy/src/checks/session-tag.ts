import { createHmac, timingSafeEqual } from 'node:crypto';

/** Of base64url: 132 bits. */
const LENGTH = 22;

/** What a session's id is given in front: only who has the key can tell which id belongs to which owner. */
const tagOf = (key: Buffer, owner: string, id: string): string =>
  createHmac('sha256', key)
    .update(JSON.stringify([owner, id]))
    .digest('base64url')
    .slice(0, LENGTH);

/** The id of a session as its owner knows it. */
export const ownedSession = (key: Buffer, owner: string, id: string): string =>
  `${tagOf(key, owner, id)}.${id}`;

/** The id as it was before it got its tag; `undefined` unless one of the keys made the tag for this owner. */
export function sessionOwnedBy(keys: readonly Buffer[], owner: string, session: string): string | undefined {
  if (session.charAt(LENGTH) !== '.') return undefined;
  const tag = Buffer.from(session.slice(0, LENGTH), 'latin1');
  const id = session.slice(LENGTH + 1);
  return keys.some((key) => timingSafeEqual(Buffer.from(tagOf(key, owner, id)), tag)) ? id : undefined;
}
