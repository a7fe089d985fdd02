import { accessSync, constants, readFileSync } from 'node:fs';
import type { Config } from './config/index.js';
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
  config.issuers.forEach(({ jwks }, i) => {
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
    if (route.backend.caFile !== undefined) readable(`${where}.caFile`, route.backend.caFile);
    if (route.kind === 'secrets') readable(`${where}.tokenFile`, route.backend.tokenFile);
    else if (route.backend.credential.kind === 'file') readable(`${where}.credential.file`, route.backend.credential.file);
  });
  if (config.replay.store === 'redis') {
    if (config.replay.caFile !== undefined) readable('replay.caFile', config.replay.caFile);
    if (config.replay.password !== undefined) readable('replay.password.file', config.replay.password.file);
  }
  return problems;
}
