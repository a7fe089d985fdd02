// The honest client of a siege: an address of its own, sixty callers, one POST after another at a steady rate
// over connections that are kept, in the protocol of the siege.
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { createCaller } from './credentials.mjs';

const ADDRESS = '127.0.0.9';
const CALLERS = 60;
/** Requests that it sends together; over HTTP/1.1 each needs a connection of its own. */
const AT_ONCE = 16;
const HTTP2_SESSIONS = 4;
/** So many times all that it sends together; fewer where the authorization server takes its time for each. */
const WARM_UPS = { usual: 60, introspected: 4 };
const TIMEOUT_MS = 5_000;
const NANOSECONDS_PER_MS = 1e6;
const BODY = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}';
const CONTENT = {
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
  'content-length': BODY.length,
};

/** A way to POST: resolves to status and text of the answer. */
function overHttp1(port) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: AT_ONCE, scheduling: 'fifo' });
  const target = { host: '127.0.0.1', port, method: 'POST', path: '/mcp', agent, localAddress: ADDRESS };
  return {
    async post(credentials, signal) {
      const request = http.request({ ...target, headers: { ...credentials, ...CONTENT }, signal });
      request.end(BODY);
      const [answer] = await once(request, 'response');
      return { status: answer.statusCode, text: await textOf(answer) };
    },
    close: () => agent.destroy(),
  };
}

function overHttp2(port) {
  const options = { rejectUnauthorized: false, localAddress: ADDRESS };
  const sessions = Array.from({ length: HTTP2_SESSIONS }, () =>
    http2.connect(`https://127.0.0.1:${port}`, options).on('error', () => {}),
  );
  const target = { ':method': 'POST', ':scheme': 'https', ':authority': 'gw.example', ':path': '/mcp' };
  let made = 0;
  return {
    async post(credentials, signal) {
      const session = sessions[made++ % HTTP2_SESSIONS];
      const stream = session.request({ ...target, ...credentials, ...CONTENT }, { signal });
      stream.end(BODY);
      const [head] = await once(stream, 'response');
      return { status: head[':status'], text: await textOf(stream) };
    },
    close: () => sessions.forEach((session) => session.destroy()),
  };
}

async function textOf(answer) {
  let text = '';
  for await (const chunk of answer) text += chunk;
  return text;
}

/**
 * @param opaque its tokens are opaque and each is new, so that the authorization server is asked about every
 * request
 */
export function createHonestClient({ port, isHttp2, issuerPem, origin, opaque = false, perSecond }) {
  const client = isHttp2 ? overHttp2(port) : overHttp1(port);
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
  const send = async () => {
    const began = performance.now();
    let fault;
    try {
      const { status, text } = await client.post(credentials(), AbortSignal.timeout(TIMEOUT_MS));
      if (status !== 200) fault = `${status} ${text}`;
    } catch (cause) {
      fault = cause.name === 'AbortError' ? `no answer in ${TIMEOUT_MS} ms` : (cause.code ?? cause.message);
    }
    return { ms: performance.now() - began, fault };
  };
  return {
    /** Opens every connection that it will use; the code on both sides is compiled then. */
    async warmUp() {
      const rounds = opaque ? WARM_UPS.introspected : WARM_UPS.usual;
      for (let n = 0; n < rounds; n++) await Promise.all(Array.from({ length: AT_ONCE }, send));
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
    close: () => client.close(),
  };
}
