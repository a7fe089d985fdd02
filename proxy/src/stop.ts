/** The end: no new connections, what is open may end, and what would never end by itself is told to. */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { EdgeServer } from './http/edge-server.js';
import { closed } from './http/listen.js';
import type { ProcessResources } from './generation.js';
import type { EdgeState } from './reload.js';

/** Before the end of the drain: time for open event streams to say that they end. */
const LAST_WORDS_SECONDS = 1;
/** Of the event loop: a closed handle calls back at the end of one. */
const LAST_TURNS = 2;

/** Resolves when the open requests have ended, or `drainSeconds` are over. */
export async function drain(
  state: EdgeState,
  { server, sessions }: EdgeServer,
  { openAnswers }: ProcessResources,
): Promise<void> {
  state.stopping = true;
  const { lameDuckSeconds, drainSeconds } = state.generation.config;
  if (lameDuckSeconds > 0) await sleep(lameDuckSeconds * 1000);
  // What would never end by itself comes again, elsewhere; the rest has until the drain is over, and then its
  // last words too.
  openAnswers.endAll('shutdown', ({ listening }) => listening);
  const patience = setTimeout(
    () => openAnswers.endAll('shutdown'),
    Math.max(0, drainSeconds - LAST_WORDS_SECONDS) * 1000,
  );
  await closed(server, drainSeconds, sessions);
  clearTimeout(patience);
  // What was under way on connections that were ended learns of it in the turns after, and has its audit line to write.
  for (let turn = 0; turn < LAST_TURNS; turn++) await nextTurn();
}
