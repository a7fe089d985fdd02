/**
 * Kinds of values that props take. TypeScript checks them while it compiles; from JavaScript, or past `as` and `!`,
 * anything may come.
 */
import { Duration, Size } from 'cdk8s';
import { refuse, shown } from './text';

/** A kind of value, whose type is `T`. */
export interface Kind<T> {
  /** Refuses a value of another kind. */
  readonly check: (where: string, value: unknown) => void;
  /** Never there: it ties the kind to its type. */
  readonly type?: (value: T) => T;
}

/** A kind for every prop of `T`: a prop that is added to the interface and forgotten here does not compile. */
export type Shape<T> = { readonly [K in keyof T]-?: Kind<T[K]> };

interface Words {
  readonly want: string;
  readonly next?: string;
  /** A string that stands here by mistake may be a secret. */
  readonly isSecret?: boolean;
}

function kind<T>({ want, next, isSecret = false }: Words, fits: (value: unknown) => boolean): Kind<T> {
  return {
    check: (where, value) => {
      if (fits(value)) return;
      refuse({ where, want, got: isSecret && typeof value === 'string' ? 'a string' : shown(value), next });
    },
  };
}

export const TEXT = kind<string>({ want: 'must be a string' }, (value) => typeof value === 'string');
export const FLAG = kind<boolean>({ want: 'must be true or false' }, (value) => typeof value === 'boolean');
export const NUMBER = kind<number>({ want: 'must be a finite number' }, Number.isFinite);

const has = (method: string) => (value: unknown) =>
  typeof (value as Record<string, unknown> | null | undefined)?.[method] === 'function';

// By what they can do: an app may have another copy of cdk8s.
export const DURATION = kind<Duration>(
  { want: 'must be a Duration', next: 'for example Duration.seconds(30)' },
  has('toSeconds'),
);
export const SIZE = kind<Size>(
  { want: 'must be a Size', next: 'for example Size.mebibytes(256)' },
  has('toMebibytes'),
);

export function oneOf<E extends string>(values: Record<string, E>): Kind<E> {
  const known: unknown[] = Object.values(values);
  return kind({ want: `must be one of ${known.join(', ')}` }, (value) => known.includes(value));
}

/** How one of our own values is made. */
const EXAMPLES: Record<string, string> = {
  Admission: 'Admission.deny()',
  AgentGateway: 'new AgentGateway(chart, "Gateway", { … })',
  ApiServerAccess: 'ApiServerAccess.of({ serviceIp: "10.96.0.1", endpoints: ["172.18.0.2"] })',
  AuthProfile: 'AuthProfile.dpop()',
  CaBundle: 'CaBundle.fromConfigMap("backend-ca")',
  DataPlane: 'DataPlane.direct()',
  ExtraVolume: 'ExtraVolume.fromConfigMap("files")',
  GatewayRoute: 'new McpRoute(chart, "Mcp", { … })',
  Image: 'Image.fromDigest("docker.io/library/node:24@sha256:<64 hex>")',
  JwksSource: 'JwksSource.fromFile("jwks.json")',
  Peer: 'Peer.pods({ app: "mcp" })',
  RateLimit: 'RateLimit.tokenBucket({ maxTokens: 100, tokensPerFill: 10 })',
  RedisTopology: 'RedisTopology.single()',
  ReplayStore: 'ReplayStore.memory()',
  SecretSource: 'SecretSource.existing("redis", "password")',
  SecretStoreRef: 'SecretStoreRef.secretStore("vault-backend")',
};

/** A string in the place of these may be a credential, or a key set with a private key. */
const SECRETS = ['SecretSource', 'JwksSource'];

/** One of our own classes, whose constructor may be private. */
export function instanceOf<T>(type: { readonly name: string; readonly prototype: T }): Kind<T> {
  const { name, prototype } = type;
  const article = /^[AEIOU]/.test(name) ? 'an' : 'a';
  const words = {
    want: `must be ${article} ${name}`,
    next: `for example ${EXAMPLES[name]}`,
    isSecret: SECRETS.includes(name),
  };
  return kind(words, (value) => Object.prototype.isPrototypeOf.call(prototype as object, value as object));
}

const optionals = new WeakSet<object>();

export function optional<T>({ check }: Kind<T>): Kind<T | undefined> {
  const made: Kind<T | undefined> = {
    check: (where, value) => (value === undefined ? undefined : check(where, value)),
  };
  optionals.add(made);
  return made;
}

export function listOf<T>(member: Kind<T>): Kind<T[]> {
  const list = kind<T[]>({ want: 'must be an array' }, Array.isArray);
  return {
    check: (where, value) => {
      list.check(where, value);
      (value as unknown[]).forEach((each, at) => member.check(`${where}[${at}]`, each));
    },
  };
}

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export function recordOf<T>(member: Kind<T>): Kind<Record<string, T>> {
  const record = kind<Record<string, T>>({ want: 'must be an object of names and values' }, isPlain);
  return {
    check: (where, value) => {
      record.check(where, value);
      for (const [key, each] of Object.entries(value as object)) member.check(`${where}.${key}`, each);
    },
  };
}

/** Options, or props; a prop that is misspelt would be ignored in silence. */
export function struct<T>(name: string, shape: Shape<T>): Kind<T> {
  const kinds = Object.entries(shape as Readonly<Record<string, Kind<unknown>>>);
  const required = kinds.filter(([, each]) => !optionals.has(each)).map(([key]) => key);
  const keys = kinds.map(([key]) => key);
  const object = kind<T>(
    {
      want: `must be an object, as ${name} describes it`,
      next: required.length > 0 ? `it needs ${required.join(', ')}` : `it may have ${keys.join(', ')}`,
    },
    isPlain,
  );
  return {
    check: (where, value) => {
      object.check(where || name, value);
      const given = value as Record<string, unknown>;
      const prefix = where === '' ? '' : `${where}.`;
      for (const [key, each] of kinds) each.check(prefix + key, given[key]);
      const unknown = Object.keys(given).find((key) => given[key] !== undefined && !keys.includes(key));
      if (unknown !== undefined) refuseUnknown(prefix + unknown, name, keys, unknown);
    },
  };
}

function refuseUnknown(where: string, name: string, keys: readonly string[], unknown: string): never {
  const near = keys.find((key) => key.toLowerCase() === unknown.toLowerCase());
  const next = near === undefined ? `it has ${keys.join(', ')}` : `did you mean ${near}?`;
  return refuse({ where, want: `must be left out: ${name} has no such prop`, next });
}

/** For a constructor, whose props stand under no name. */
export function checked<T>(props: T, kindOfProps: Kind<T>): T {
  kindOfProps.check('', props);
  return props;
}
