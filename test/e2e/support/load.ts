/** Requests at a steady rate, whether or not the ones before have been answered; each with a proof of its own. */
import http from 'node:http';
import { performance } from 'node:perf_hooks';
import type { Ask } from '../../../proxy/test/support/gateway.js';

export interface Sent {
  readonly number: number;
  /** `performance.now()` of the first byte out and the last byte in. */
  readonly at: number;
  readonly until: number;
  /** Absent: there was no answer. */
  readonly status: number | undefined;
  readonly error: string | undefined;
}

export interface LoadOptions {
  readonly port: number;
  readonly perSecond: number;
  readonly make: (number: number) => Ask;
  /** A request without an answer by then has failed. */
  readonly timeoutMs?: number;
}

export interface Load {
  /** What has been answered, or failed, so far. */
  readonly sent: readonly Sent[];
  /** No more; resolves when all have been answered or have failed. */
  stop(): Promise<readonly Sent[]>;
}

const TICK_MS = 10;

export function startLoad({ port, perSecond, make, timeoutMs = 10_000 }: LoadOptions): Load {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1024 });
  const sent: Sent[] = [];
  let number = 0;
  let open = 0;
  const one = () => {
    const mine = number++;
    const { method = 'POST', path = '/mcp', headers = {}, body } = make(mine);
    const at = performance.now();
    open += 1;
    let over = false;
    const end = (status: number | undefined, error?: string) => {
      if (over) return;
      over = true;
      open -= 1;
      sent.push({ number: mine, at, until: performance.now(), status, error });
    };
    const out = http.request(
      { host: '127.0.0.1', port, method, path, headers: headers as http.OutgoingHttpHeaders, agent },
      (answer) => {
        answer
          .resume()
          .once('end', () => end(answer.statusCode))
          .once('error', (cause) => end(undefined, cause.message));
      },
    );
    out.setTimeout(timeoutMs, () => out.destroy(new Error(`no answer after ${timeoutMs} ms`)));
    out.on('error', (cause) => end(undefined, cause.message));
    out.end(body);
  };
  const began = performance.now();
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - began) / 1000) * perSecond);
    // After a stall of this process the missed ones are not sent in one burst.
    if (due - number > perSecond / 5) number = due - Math.floor(perSecond / 5);
    while (number < due) one();
  }, TICK_MS);
  return {
    sent,
    async stop() {
      clearInterval(timer);
      while (open > 0) await new Promise((resolve) => setTimeout(resolve, TICK_MS));
      agent.destroy();
      return sent;
    },
  };
}

/** What failed, as text, with when: nothing is hidden in a count. */
export const failures = (sent: readonly Sent[], good: readonly number[] = [200]): string[] =>
  sent
    .filter(({ status }) => status === undefined || !good.includes(status))
    .map(({ number, at, status, error }) => `request ${number} at ${Math.round(at)} ms: ${error ?? status}`);
