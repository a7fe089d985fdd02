import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PassThrough, Writable } from 'node:stream';
import { createParser } from 'eventsource-parser';
import { relay } from '../../src/upstream/relay.js';
import type { Target } from './target.js';

const CR = 13;

/**
 * A reader gets the events that the backend sent, however they were cut into pieces; and of a stream that the
 * gateway ends, those that were whole.
 */
export const sseRelay: Target = {
  name: 'sse-relay',
  words: [
    'data: x\n\n',
    'data:',
    'event: e\n',
    'id: 1\n',
    'retry: 5\n',
    ': c\n',
    '\n',
    '\r',
    '\r\n',
    '\n\n',
    '\u00c3',
    '\ufeff',
  ],
  json: false,
  async check(input) {
    if (input.length < 2) return;
    const [step, cut] = [1 + (input[0]! % 7), input[1]!];
    const sent = input.subarray(2);
    assert.deepEqual(eventsOf(await relayed(sent, step)), eventsOf(sent));
    const until = sent.subarray(0, Math.min(cut, sent.length));
    assert.deepEqual(eventsOf(await relayed(until, step, true)), eventsOf(until));
  },
};

function eventsOf(bytes: Buffer) {
  const events: unknown[] = [];
  const parser = createParser({ onEvent: ({ id, event, data }) => events.push([id, event, data]) });
  parser.feed(new TextDecoder().decode(bytes));
  // The reader waits whether a CR at the end is half of a CR LF.
  if (bytes.at(-1) === CR) parser.feed('\n');
  return events;
}

/** What the client got. @param early the gateway ends it, and the backend does not */
async function relayed(sent: Buffer, step: number, early = false): Promise<Buffer> {
  const got: Buffer[] = [];
  const client = new Writable({
    write(chunk: Buffer, _, done) {
      got.push(Buffer.from(chunk));
      done();
    },
  });
  // Of HTTP/2: an answer of HTTP/1.1 frames its body, which is node's.
  const response = Object.assign(client, { headersSent: true, respond() {} });
  const body = new PassThrough();
  const answer = Object.assign(body, {
    statusCode: 200,
    complete: !early,
    headers: { 'content-type': 'text/event-stream' },
  });
  const { end } = relay(answer, response, { headers: [], length: undefined }, { flowing() {}, ended() {} });
  for (let at = 0; at < sent.length; at += step) body.write(sent.subarray(at, at + step));
  if (early) {
    await new Promise(setImmediate);
    end('token_expired');
  } else {
    body.end();
  }
  if (!client.writableFinished) await once(client, 'finish');
  return Buffer.concat(got);
}
