import { accessSync, constants, readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { Config } from './config/index.js';
import { parseNonceKeys } from './keys/nonce-keys.js';
import { parseJwks } from './keys/parse-jwks.js';

/** What the schema cannot see: whether the files that a config names are there and hold what they should. Every fault at once. */
export function fileProblems(config: Config): string[] {
  const problems: string[] = [];
  const readable = (where: string, file: string) => {
    try {
      accessSync(file, constants.R_OK);
      return true;
    } catch (cause) {
      problems.push(`${where}: must be a readable file, got ${JSON.stringify(file)} (${(cause as NodeJS.ErrnoException).code}); check the volume mounts`);
      return false;
    }
  };
  const pair = (where: string, { certFile, keyFile }: { readonly certFile: string; readonly keyFile: string }) => {
    if (!readable(`${where}.certFile`, certFile) || !readable(`${where}.keyFile`, keyFile)) return;
    try {
      createSecureContext({ cert: readFileSync(certFile), key: readFileSync(keyFile) });
    } catch (cause) {
      problems.push(`${where}: must be a PEM certificate chain and its key, got ${(cause as Error).message}`);
    }
  };
  config.issuers.forEach(({ jwks, introspection }, i) => {
    if (introspection !== undefined) {
      readable(`issuers[${i}].introspection.clientSecret.file`, introspection.clientSecret.file);
      if (introspection.caFile !== undefined) readable(`issuers[${i}].introspection.caFile`, introspection.caFile);
    }
    if (jwks === undefined) return;
    if ('url' in jwks) {
      if (jwks.caFile !== undefined) readable(`issuers[${i}].jwks.caFile`, jwks.caFile);
      return;
    }
    const where = `issuers[${i}].jwks.file`;
    if (!readable(where, jwks.file)) return;
    const parsed = parseJwks(readFileSync(jwks.file, 'utf8'));
    if (!parsed.ok) problems.push(...parsed.problems.map((problem) => `${where}: ${jwks.file}: ${problem}`));
  });
  config.routes.forEach((route, i) => {
    const where = `routes[${i}].backend`;
    if ('nonce' in route.auth && route.auth.nonce !== undefined) {
      const at = `routes[${i}].auth.nonce.keys.file`;
      const { file } = route.auth.nonce.keys;
      const parsed = readable(at, file) ? parseNonceKeys(readFileSync(file, 'utf8')) : undefined;
      if (parsed?.ok === false) problems.push(`${at}: ${file}: ${parsed.problem}`);
    }
    if (route.backend.caFile !== undefined) readable(`${where}.caFile`, route.backend.caFile);
    if (route.kind === 'mcp' && route.backend.clientCertificate !== undefined) pair(`${where}.clientCertificate`, route.backend.clientCertificate);
    if (route.kind === 'secrets') readable(`${where}.tokenFile`, route.backend.tokenFile);
    else if (route.backend.credential.kind === 'exchange') {
      readable(`${where}.credential.clientSecret.file`, route.backend.credential.clientSecret.file);
      if (route.backend.credential.caFile !== undefined) readable(`${where}.credential.caFile`, route.backend.credential.caFile);
    } else if (route.backend.credential.kind === 'file') readable(`${where}.credential.file`, route.backend.credential.file);
  });
  if (config.tracing?.caFile !== undefined) readable('tracing.caFile', config.tracing.caFile);
  if (config.tracing?.authorization !== undefined) readable('tracing.authorization.file', config.tracing.authorization.file);
  if (config.listen.tls !== undefined) pair('listen.tls', config.listen.tls);
  if (config.replay.store === 'redis') {
    if (config.replay.caFile !== undefined) readable('replay.caFile', config.replay.caFile);
    if (config.replay.password !== undefined) readable('replay.password.file', config.replay.password.file);
    const { topology } = config.replay;
    if (topology.kind === 'sentinel' && topology.password !== undefined) readable('replay.topology.password.file', topology.password.file);
  }
  return problems;
}
