/**
 * What stands before or behind us reads HTTP with another parser than we do. Some 10 000 generated requests, many of
 * them malformed somewhere, go to the gateway and to http-parser-js, which shares no line with llhttp and takes nearly
 * everything: what the gateway hands on is what the other one read in the same bytes (method, target, fields, body, in
 * their order), and everything else was refused.
 */
import net from 'node:net';
import { HTTPParser } from 'http-parser-js';
import { startFixture, type GatewayFixture, type Seen } from '../support/gateway.js';
import { generateRequests } from '../support/http-requests.js';

/** Of two requests each on the average. */
const CONNECTIONS = 5_000;
const AT_ONCE = 32;
const SEED = 20_260_728;
/** Gateway, backend and client share one event loop: what did not come in so many of its turns does not come. */
const SILENT_TURNS = 100;
/** Ends every connection. */
const LAST = 'GET /nowhere HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
/** Fields that the gateway hands on as they are. */
const COMPARED = ['accept', 'content-type', 'mcp-session-id', 'mcp-x', 'user-agent'];

type Request = Pick<Seen, 'method' | 'url' | 'rawHeaders' | 'body'>;

let fixture: GatewayFixture;
beforeAll(async () => {
  fixture = await startFixture({
    change: (config) => {
      config.limits = { refusalsPerAddress: { maxTokens: 1_000_000, tokensPerSecond: 1_000_000 } };
      config.routes = [
        { ...config.routes[0]!, auth: { profile: 'dpop', issuers: ['as'], mode: 'optional' } },
      ] as typeof config.routes;
    },
  });
});
afterAll(() => fixture.stop());

/** Statuses of the answers on a connection of its own. */
function send(bytes: Buffer): Promise<number[]> {
  return new Promise((resolve) => {
    let got = '';
    let silent = 0;
    const socket = net.connect({ port: fixture.gateway.port, host: '127.0.0.1' }, () => {
      socket.write(bytes);
      turn();
    });
    const turn = () => {
      if ((silent += 1) > SILENT_TURNS) socket.destroy();
      else if (!socket.destroyed) setImmediate(turn);
    };
    socket
      .on('data', (chunk: Buffer) => {
        silent = 0;
        got += chunk.toString('latin1');
      })
      .on('error', () => {})
      .on('close', () => resolve([...got.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, code]) => Number(code))));
  });
}

/** What the other parser makes of the bytes, up to where it gives up. */
function readOtherwise(bytes: Buffer): Request[] {
  const read: Request[] = [];
  const parser = new HTTPParser(HTTPParser.REQUEST);
  let head: Omit<Request, 'body'> | undefined;
  let body = '';
  parser[HTTPParser.kOnHeadersComplete] = ({ method, url, headers }) => {
    head = { method: HTTPParser.methods[method]!, url, rawHeaders: headers };
    body = '';
  };
  parser[HTTPParser.kOnBody] = (chunk, offset, length) => {
    // It takes a chunk of a negative size, goes back, and would never end.
    if (length < 0 || body.length > bytes.length) throw new Error('no length');
    body += chunk.toString('latin1', offset, offset + length);
  };
  parser[HTTPParser.kOnMessageComplete] = () => {
    read.push({ ...head!, body });
  };
  try {
    if (!(parser.execute(bytes) instanceof Error)) parser.finish();
  } catch {
    // What it read before that stands.
  }
  return read;
}

/** Several spaces in a request line are one to llhttp, as they may be (RFC 9112 3). The backend gets one. */
const withSingleSpaces = (text: string) =>
  text.replace(/(POST|GET|DELETE) +(\/mcp\S*) +HTTP\//g, '$1 $2 HTTP/');

const comparable = ({ method, url, rawHeaders, body }: Request): string => {
  const fields = rawHeaders.flatMap((name, i) =>
    i % 2 === 0 && COMPARED.includes(name.toLowerCase())
      ? [`${name.toLowerCase()}: ${rawHeaders[i + 1]!}`]
      : [],
  );
  return JSON.stringify([method, url, fields.sort(), body]);
};

/** Of what was handed on, the first that the other parser did not read at all, or not in this order. */
function firstDifference(handedOn: readonly string[], other: readonly string[]): string | undefined {
  let at = -1;
  return handedOn.find((one) => {
    at = other.indexOf(one, at + 1);
    return at === -1;
  });
}

async function sendAll(connections: readonly Buffer[]): Promise<number[]> {
  const statuses: number[] = [];
  let next = 0;
  const lane = async () => {
    while (next < connections.length) statuses.push(...(await send(connections[next++]!)));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  return statuses;
}

it('hands on what another parser reads in the same bytes, and nothing else', async () => {
  const texts = generateRequests(SEED, CONNECTIONS).map((text) => text + LAST);
  const statuses = await sendAll(texts.map((text) => Buffer.from(text, 'latin1')));
  const handedOn = new Map<number, Request[]>();
  for (const seen of fixture.seen) {
    const n = Number(/\?id=(\d+)\./.exec(seen.url)?.[1]);
    handedOn.set(n, [...(handedOn.get(n) ?? []), seen]);
  }
  const wrong = texts.flatMap((text, n) => {
    const other = readOtherwise(Buffer.from(withSingleSpaces(text), 'latin1')).map(comparable);
    const different = firstDifference((handedOn.get(n) ?? []).map(comparable), other);
    return different === undefined ? [] : [{ sent: text, handedOn: different, other }];
  });
  expect(wrong.slice(0, 5)).toEqual([]);
  expect(handedOn.has(NaN)).toBe(false);
  // The generator is worth something only as long as both happen, often.
  expect(fixture.seen.length).toBeGreaterThan(CONNECTIONS / 4);
  expect(statuses.filter((status) => status === 400).length).toBeGreaterThan(CONNECTIONS / 4);
}, 120_000);
