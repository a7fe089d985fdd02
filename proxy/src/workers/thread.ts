import type { MessagePort } from 'node:worker_threads';
import { startEdge, type Edge } from '../app.js';
import type { Clock } from '../clock.js';
import type { Question, Questions, ThreadStart, ThreadMessage } from './messages.js';

const BEAT_MS = 500;

/**
 * One thread that serves: does what the main thread asks, tells it what it should know. Ends with the process,
 * or after `stop`.
 */
export async function serveAsThread(
  { config, claims, buckets, sessionKey, beats, index }: ThreadStart,
  port: MessagePort,
  clock: Clock,
): Promise<void> {
  const send = (message: ThreadMessage) => port.postMessage(message);
  const audit = {
    write: (text: string) => send({ kind: 'audit', text }),
    behind: () => false,
    reopen: () => {},
    close: async () => {},
  };
  const edge = await startEdge(
    config,
    {
      clock,
      warn: (problem) => send({ kind: 'warning', problem }),
      recovered: (what) => send({ kind: 'recovered', what }),
      replaced: (what, live) => send({ kind: 'replaced', what, live }),
    },
    { claims, buckets, sessionKey: Buffer.from(sessionKey), audit },
  );
  const beat = () => Atomics.store(beats, index, nowMs());
  beat();
  const beating = setInterval(beat, BEAT_MS);
  const answers = answersOf(edge);
  port.on('message', (question: Question) => void answer(question));
  const answer = async ({ id, kind, ask }: Question) => {
    send({ kind: 'answer', id, answer: await (answers[kind] as (ask: unknown) => unknown)(ask) });
    if (kind !== 'stop') return;
    clearInterval(beating);
    port.close(); // after what was told before
  };
  send({ kind: 'serving' });
}

const answersOf = (
  edge: Edge,
): {
  readonly [K in keyof Questions]: (
    ask: Questions[K]['ask'],
  ) => Questions[K]['answer'] | Promise<Questions[K]['answer']>;
} => ({
  reload: (config) => edge.reload(config),
  refresh: () => void edge.refresh(),
  refusedConfig: () => void edge.refusedConfig(),
  waitingFor: () => edge.waitingFor(),
  status: () => edge.status(),
  metrics: () => edge.metrics.values(),
  stop: async () => void (await edge.stop()),
});

/** One clock for all threads. */
export const nowMs = (): bigint => BigInt(Math.floor(performance.timeOrigin + performance.now()));
