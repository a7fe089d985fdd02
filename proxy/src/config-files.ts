import { accessSync, constants, readFileSync } from 'node:fs';
import type { Intact } from './config/index.js';
import { parseNonceKeys } from './keys/nonce-keys.js';
import { parseJwks } from './keys/parse-jwks.js';
import { rootsProblem } from './keys/root-certificates.js';
import { pairProblem } from './keys/tls-files.js';

/** What the schema cannot see: whether the files that a config names are there and hold what they should. Every fault at once, also of a config that has others. */
export function fileProblems(config: Intact): string[] {
  const problems: string[] = [];
  const readable = (where: string, file: string) => {
    try {
      accessSync(file, constants.R_OK);
      return true;
    } catch (cause) {
      problems.push(
        `${where}: must be a readable file, got ${JSON.stringify(file)} (${(cause as NodeJS.ErrnoException).code}); check the volume mounts`,
      );
      return false;
    }
  };
  const pair = (
    where: string,
    { certFile, keyFile }: { readonly certFile: string; readonly keyFile: string },
  ) => {
    if (!readable(`${where}.certFile`, certFile) || !readable(`${where}.keyFile`, keyFile)) return;
    const problem = pairProblem({ cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') });
    if (problem !== undefined)
      problems.push(`${where}: must be a PEM certificate chain and its key, got ${problem}`);
  };
  const roots = (where: string, file: string | undefined) => {
    if (file === undefined || !readable(where, file)) return;
    const faults = rootsProblem(readFileSync(file, 'utf8'));
    if (faults !== undefined) problems.push(`${where}: ${file}: ${faults}`);
  };
  config.issuers.forEach((issuer, i) => {
    if (issuer === undefined) return;
    const { jwks, introspection } = issuer;
    if (introspection !== undefined) {
      readable(`issuers[${i}].introspection.clientSecret.file`, introspection.clientSecret.file);
      roots(`issuers[${i}].introspection.caFile`, introspection.caFile);
    }
    if (jwks === undefined) return;
    if ('url' in jwks) {
      roots(`issuers[${i}].jwks.caFile`, jwks.caFile);
      return;
    }
    const where = `issuers[${i}].jwks.file`;
    if (!readable(where, jwks.file)) return;
    const parsed = parseJwks(readFileSync(jwks.file, 'utf8'));
    if (!parsed.ok) problems.push(...parsed.problems.map((problem) => `${where}: ${jwks.file}: ${problem}`));
  });
  config.routes.forEach((route, i) => {
    if (route === undefined) return;
    const where = `routes[${i}].backend`;
    if ('nonce' in route.auth && route.auth.nonce !== undefined) {
      const at = `routes[${i}].auth.nonce.keys.file`;
      const { file } = route.auth.nonce.keys;
      const parsed = readable(at, file) ? parseNonceKeys(readFileSync(file, 'utf8')) : undefined;
      if (parsed?.ok === false) problems.push(`${at}: ${file}: ${parsed.problem}`);
    }
    roots(`${where}.caFile`, route.backend.caFile);
    if (route.kind === 'mcp' && route.backend.clientCertificate !== undefined)
      pair(`${where}.clientCertificate`, route.backend.clientCertificate);
    if (route.kind === 'secrets') readable(`${where}.tokenFile`, route.backend.tokenFile);
    else if (route.backend.credential.kind === 'exchange') {
      readable(`${where}.credential.clientSecret.file`, route.backend.credential.clientSecret.file);
      roots(`${where}.credential.caFile`, route.backend.credential.caFile);
    } else if (route.backend.credential.kind === 'file')
      readable(`${where}.credential.file`, route.backend.credential.file);
  });
  roots('tracing.caFile', config.tracing?.caFile);
  if (config.tracing?.authorization !== undefined)
    readable('tracing.authorization.file', config.tracing.authorization.file);
  if (config.listen?.tls !== undefined) pair('listen.tls', config.listen.tls);
  if (config.replay?.store === 'redis') {
    roots('replay.caFile', config.replay.caFile);
    if (config.replay.password !== undefined) readable('replay.password.file', config.replay.password.file);
    const { topology } = config.replay;
    if (topology.kind === 'sentinel' && topology.password !== undefined)
      readable('replay.topology.password.file', topology.password.file);
  }
  return problems;
}
