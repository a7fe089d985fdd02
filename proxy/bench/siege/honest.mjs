// The honest client of a siege: an address of its own, a dozen callers, one POST after another at a steady rate
// over connections that are kept.
import http from 'node:http';
import https from 'node:https';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { createCaller } from './credentials.mjs';

const ADDRESS = '127.0.0.9';
const CALLERS = 12;
const CONNECTIONS = 16;
const WARM_UPS = 12;
const TIMEOUT_MS = 5_000;
const NANOSECONDS_PER_MS = 1e6;
const BODY = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';

/**
 * @param opaque its tokens are opaque and each is new, so that the authorization server is asked about every
 * request
 */
export function createHonestClient({ port, caFile, issuerPem, origin, opaque = false, perSecond }) {
  const transport = caFile === undefined ? http : https;
  const agent = new transport.Agent({ keepAlive: true, maxSockets: CONNECTIONS, scheduling: 'fifo' });
  const callers = Array.from({ length: CALLERS }, (_, n) =>
    createCaller({
      issuerPem,
      origin,
      sub: `honest-${n}`,
      ...(opaque ? { opaque: (jkt) => `good.${jkt}` } : {}),
    }),
  );
  let made = 0;
  const credentials = () => {
    const { token, proof } = callers[made++ % CALLERS];
    const own = opaque ? `${token}.${made}` : token;
    return { authorization: `DPoP ${own}`, dpop: proof('POST', { token: own }) };
  };
  /** Milliseconds, and what went wrong; a timeout is an error of the client. */
  const send = () =>
    new Promise((resolve) => {
      const began = performance.now();
      const end = (fault) => {
        clearTimeout(timer);
        resolve({ ms: performance.now() - began, fault });
      };
      const timer = setTimeout(() => {
        end(`no answer in ${TIMEOUT_MS} ms`);
        request.destroy();
      }, TIMEOUT_MS);
      const request = transport.request(
        {
          host: '127.0.0.1',
          port,
          method: 'POST',
          path: '/mcp',
          agent,
          localAddress: ADDRESS,
          rejectUnauthorized: false,
          headers: {
            ...credentials(),
            'content-type': 'application/json',
            accept: 'application/json, text/event-stream',
            'content-length': BODY.length,
          },
        },
        (answer) => {
          let text = '';
          answer
            .on('data', (chunk) => {
              text += chunk;
            })
            .on('error', (cause) => end(cause.code))
            .on('end', () => end(answer.statusCode === 200 ? undefined : `${answer.statusCode} ${text}`));
        },
      );
      request.on('error', (cause) => end(cause.code ?? cause.message));
      request.end(BODY);
    });
  return {
    /** Opens every connection that it will use; the code on both sides is compiled then. */
    async warmUp() {
      for (let n = 0; n < WARM_UPS; n++) await Promise.all(Array.from({ length: CONNECTIONS }, send));
    },
    /** Sends at its rate for that long, whether or not the ones before have been answered. */
    async observe(ms) {
      const under = [];
      // What the client itself is late by; nothing is taken off for it.
      const own = monitorEventLoopDelay({ resolution: 1 });
      own.enable();
      const began = performance.now();
      for (let n = 0; n < (ms * perSecond) / 1000; n++) {
        await sleep(Math.max(0, began + (n * 1000) / perSecond - performance.now()));
        under.push(send());
      }
      const answers = await Promise.all(under);
      own.disable();
      return {
        took: answers.map((a) => a.ms),
        faults: answers.flatMap((a) => a.fault ?? []),
        ownDelayMs: own.percentile(99) / NANOSECONDS_PER_MS,
      };
    },
    close: () => agent.destroy(),
  };
}
