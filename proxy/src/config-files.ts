import { accessSync, constants, readFileSync } from 'node:fs';
import type { Auth, Intact, Issuer, McpRoute, Route } from './config/index.js';
import { parseNonceKeys } from './keys/nonce-keys.js';
import { parseJwks } from './keys/parse-jwks.js';
import { rootsProblem } from './keys/root-certificates.js';
import { pairProblem } from './keys/tls-files.js';

/**
 * What the schema cannot see: whether the files that a config names are there and hold what they should. Every
 * problem at once, also of a config that has others.
 */
export function fileProblems({ issuers, routes, tracing, listen, replay }: Intact): string[] {
  return [
    ...issuers.flatMap((issuer, i) => (issuer === undefined ? [] : issuerProblems(`issuers[${i}]`, issuer))),
    ...routes.flatMap((route, i) => (route === undefined ? [] : routeProblems(`routes[${i}]`, route))),
    ...rootsProblems('tracing.caFile', tracing?.caFile),
    ...secretProblems('tracing.authorization', tracing?.authorization),
    ...pairProblems('listen.tls', listen?.tls),
    ...replayProblems(replay),
  ];
}

function issuerProblems(where: string, { jwks, introspection }: Issuer): string[] {
  return [
    ...secretProblems(`${where}.introspection.clientSecret`, introspection?.clientSecret),
    ...rootsProblems(`${where}.introspection.caFile`, introspection?.caFile),
    ...(jwks !== undefined && !('file' in jwks) ? rootsProblems(`${where}.jwks.caFile`, jwks.caFile) : []),
    ...(jwks !== undefined && 'file' in jwks
      ? contentProblems(`${where}.jwks.file`, jwks.file, findJwksProblems)
      : []),
  ];
}

function routeProblems(where: string, { auth, ...route }: Route): string[] {
  const common = [
    ...nonceProblems(`${where}.auth.nonce`, auth),
    ...rootsProblems(`${where}.backend.caFile`, route.backend.caFile),
  ];
  if (route.kind === 'secrets')
    return [...common, ...readProblems(`${where}.backend.tokenFile`, route.backend.tokenFile)];
  const { clientCertificate, credential } = route.backend;
  return [
    ...common,
    ...pairProblems(`${where}.backend.clientCertificate`, clientCertificate),
    ...credentialProblems(`${where}.backend.credential`, credential),
  ];
}

type Credential = McpRoute['backend']['credential'];

function credentialProblems(where: string, credential: Credential): string[] {
  switch (credential.kind) {
    case 'file':
      return secretProblems(where, credential);
    case 'exchange':
      return [
        ...secretProblems(`${where}.clientSecret`, credential.clientSecret),
        ...rootsProblems(`${where}.caFile`, credential.caFile),
      ];
    default:
      return [];
  }
}

function nonceProblems(where: string, auth: Auth): string[] {
  if (!('nonce' in auth) || auth.nonce === undefined) return [];
  return contentProblems(`${where}.keys.file`, auth.nonce.keys.file, findNonceKeyProblems);
}

function replayProblems(replay: Intact['replay']): string[] {
  if (replay?.store !== 'redis') return [];
  const { caFile, password, topology } = replay;
  return [
    ...rootsProblems('replay.caFile', caFile),
    ...secretProblems('replay.password', password),
    ...(topology.kind === 'sentinel' ? secretProblems('replay.topology.password', topology.password) : []),
  ];
}

interface Pair {
  readonly certFile: string;
  readonly keyFile: string;
}

function pairProblems(where: string, pair: Pair | undefined): string[] {
  if (pair === undefined) return [];
  const unread = readProblems(`${where}.certFile`, pair.certFile);
  if (unread.length === 0) unread.push(...readProblems(`${where}.keyFile`, pair.keyFile));
  if (unread.length > 0) return unread;
  const problem = pairProblem({
    cert: readFileSync(pair.certFile, 'utf8'),
    key: readFileSync(pair.keyFile, 'utf8'),
  });
  return problem === undefined
    ? []
    : [`${where}: must be a PEM certificate chain and its key, got ${problem}`];
}

const secretProblems = (where: string, secret: { readonly file: string } | undefined): string[] =>
  secret === undefined ? [] : readProblems(`${where}.file`, secret.file);

const rootsProblems = (where: string, file: string | undefined): string[] =>
  file === undefined ? [] : contentProblems(where, file, findRootsProblems);

/** What is wrong with the text of a file; empty when nothing is. */
type FindProblems = (text: string) => readonly string[];

const listed = (problem: string | undefined): readonly string[] => (problem === undefined ? [] : [problem]);
const findRootsProblems: FindProblems = (text) => listed(rootsProblem(text));
const findJwksProblems: FindProblems = (text) => {
  const parsed = parseJwks(text);
  return parsed.ok ? [] : parsed.problems;
};
const findNonceKeyProblems: FindProblems = (text) => {
  const parsed = parseNonceKeys(text);
  return parsed.ok ? [] : [parsed.problem];
};

function contentProblems(where: string, file: string, find: FindProblems): string[] {
  const unread = readProblems(where, file);
  if (unread.length > 0) return unread;
  return find(readFileSync(file, 'utf8')).map((problem) => `${where}: ${file}: ${problem}`);
}

function readProblems(where: string, file: string): string[] {
  try {
    accessSync(file, constants.R_OK);
    return [];
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    return [
      `${where}: must be a readable file, got ${JSON.stringify(file)} (${code}); check the volume mounts`,
    ];
  }
}
