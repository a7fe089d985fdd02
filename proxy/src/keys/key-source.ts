import type { KeyObject } from 'node:crypto';
import type { Algorithm } from '../config/index.js';

/** A public verification key of an issuer, checked and imported once. */
export interface VerificationKey {
  readonly kid: string | undefined;
  readonly key: KeyObject;
  /** Algorithms this key may verify: those of its kty and crv, narrowed by its `alg` member if it has one. */
  readonly algorithms: readonly Algorithm[];
}

export interface KeySource {
  /**
   * Keys of the current set that fit `kid` (all of the set when the token names none). Synchronous: no fetch,
   * no file read.
   */
  find(kid: string | undefined): readonly VerificationKey[];
  /**
   * Asked after `find` had nothing for a kid: resolves once a newer set, if one may be fetched now, is in
   * place. At most one fetch per cooldown.
   */
  refresh(): Promise<void>;
  /**
   * `refresh` for a request of this network, which waits for it; `undefined`: too many of its requests wait
   * already.
   */
  refreshFor(network: string): Promise<void> | undefined;
  /** A usable set is loaded. */
  ready(): boolean;
  /** Changes with every new set: what was verified under an older one must be verified again. */
  generation(): number;
  /** How many keys of the current set are not used. */
  ignored(): number;
  /** Seconds since the current set was loaded. */
  ageSeconds(): number;
  close(): void;
}

export type { SessionKeys } from './session-keys.js';

/** The secrets that nonces are made with. */
export interface NonceKeys {
  /** Makes new nonces; `undefined` while there is none. */
  current(): Buffer | undefined;
  /** Every one whose nonces are still good. */
  accepted(): readonly Buffer[];
  /** Looks at the file at once. */
  refresh(): void;
  close(): void;
}

/**
 * What an authorization server says of a token (RFC 7662 2.2): its claims, that it is not active, or nothing.
 * `busy`: it was not asked, since too many requests of this network wait for it already.
 */
export type Introspection = Readonly<Record<string, unknown>> | 'inactive' | 'unavailable' | 'busy';

/** What became of a caller's token at the authorization server (RFC 8693). */
export type Exchanged =
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'refused' }
  /** It was not asked: too many requests of this network wait for it already. */
  | { readonly kind: 'busy' }
  | { readonly kind: 'unavailable'; readonly why: string };

export interface Exchanger {
  /** The backend did not take what the caller's token was exchanged for. */
  forget(token: string): void;
  /**
   * Synchronous where the answer is known. Never rejects. @param notAfter seconds since the epoch: the caller's
   * own token ends then @param network of the request: its share of questions
   */
  exchange(token: string, notAfter: number, network: string): Exchanged | Promise<Exchanged>;
  close(): void;
}

export interface Introspector {
  /**
   * Synchronous where the answer is known. Never throws. @param hash of the token, under which the answer is
   * kept @param network of the request: its share of questions
   */
  introspect(token: string, hash: string, network: string): Introspection | Promise<Introspection>;
  close(): void;
}
