/** Another config, while the gateway serves: a new generation takes over, or nothing changes. */
import type { Config } from './config/index.js';
import { openGeneration, restartProblems, type Generation, type ProcessResources } from './generation.js';
import type { ResourceRegistry } from './resource-registry.js';
import { longestWindowSeconds } from './replay/window.js';
import type { Dependencies } from './trust.js';

/** How long a new config may wait for the keys of its issuers. */
const KEYS_WAIT_MS = 10_000;

/** What is in use by now. */
export interface EdgeState {
  generation: Generation;
  stopping: boolean;
}

/** @returns why the config before stays in use; empty when the new one is */
export async function reload(
  config: Config,
  state: EdgeState,
  registry: ResourceRegistry,
  resources: ProcessResources,
  dependencies: Dependencies,
): Promise<readonly string[]> {
  const fixed = restartProblems(state.generation.config, config);
  if (fixed.length > 0) return fixed;
  const transaction = registry.begin();
  let next: Generation;
  try {
    next = openGeneration(config, transaction.acquire, resources, dependencies);
  } catch (cause) {
    transaction.rollback();
    return [(cause as Error).message];
  }
  const missing = await missingKeys(next, state);
  if (missing.length > 0 || state.stopping) {
    transaction.rollback();
    return missing.map((name) => `${name}: not there after ${KEYS_WAIT_MS / 1000} s`);
  }
  resources.store.cover(longestWindowSeconds(config.routes));
  state.generation = next;
  transaction.commit();
  resources.openAnswers.endAll('config_changed', ({ policy }) => !next.policies.has(policy));
  return [];
}

/** The pod stays ready meanwhile: issuers are trusted once their keys are there. */
async function missingKeys(next: Generation, state: EdgeState): Promise<readonly string[]> {
  const missing = () => {
    const absent = state.generation.trust.waitingFor();
    return next.trust.waitingFor().filter((name) => !absent.includes(name));
  };
  const until = performance.now() + KEYS_WAIT_MS;
  while (missing().length > 0 && performance.now() < until && !state.stopping)
    await new Promise((resolve) => setTimeout(resolve, 20));
  return missing();
}
