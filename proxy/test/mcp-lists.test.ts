/** Lists of MCP, cut to what their caller may use: in JSON and in event streams, however these are written. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { changeRoutes, ORIGIN, startFixture, type Answer, type GatewayFixture } from './support/gateway.js';
import { accessToken, ec, proof, thumbprint } from './support/mint.js';
import { reasonOf } from './support/reason-of.js';

const client = ec();
let fixture: GatewayFixture;
beforeAll(async () => {
  fixture = await startFixture({
    change: (config) =>
      changeRoutes(config, (mcp) => [
        {
          ...mcp,
          allow: [
            { method: 'tools/list' },
            { method: 'resources/list' },
            { method: 'tools/call', names: ['read', 'big'] },
            { method: 'tools/call', names: ['write'], requiredScopes: ['w'] },
            { method: 'tools/call', names: ['admin'], when: { claim: 'groups', oneOf: ['ops'] } },
          ],
        },
        { ...mcp, name: 'open', pathPrefix: '/open' },
      ]),
  });
});
afterAll(() => fixture.stop());
beforeEach(() => {
  fixture.seen.length = 0;
});

interface Asked {
  readonly method?: 'POST' | 'GET';
  readonly path?: string;
  readonly claims?: Record<string, unknown>;
  readonly headers?: Record<string, string>;
}
function ask(message: unknown, { method = 'POST', path = '/mcp', claims = {}, headers = {} }: Asked = {}) {
  const token = accessToken(fixture.as, { cnf: { jkt: thumbprint(client) }, aud: 'all', ...claims });
  return fixture.ask({
    method,
    path,
    headers: {
      authorization: `DPoP ${token}`,
      dpop: proof(client, method, ORIGIN + path, token),
      accept: 'application/json, text/event-stream',
      ...headers,
    },
    ...(method === 'POST' && { body: JSON.stringify(message) }),
  });
}
const LIST = { jsonrpc: '2.0', id: 1, method: 'tools/list' };
const CALL = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'read' } };
const TOOLS = ['read', 'write', 'admin', 'drop'].map((name) => ({ name, inputSchema: { type: 'object' } }));
const LISTED = JSON.stringify({ jsonrpc: '2.0', id: 1, result: { tools: TOOLS, cacheScope: 'public' } });
const DATA = `data: ${LISTED}\n\n`;
const NOTE = 'event: message\ndata: {"jsonrpc":"2.0","method":"notifications/progress","params":{}}\n\n';

/** What the backend answers: pieces, one after the other has gone out. */
const answering =
  (type: string, pieces: readonly (string | Buffer)[], headers: Record<string, string> = {}, status = 200) =>
  (_: IncomingMessage, response: ServerResponse) => {
    response.writeHead(status, { 'Content-Type': type, ...headers });
    const next = (i: number): void => {
      if (i === pieces.length) return void response.end();
      response.write(pieces[i]!, () => setImmediate(next, i + 1));
    };
    next(0);
  };
const json = (text: string | Buffer, headers: Record<string, string> = {}) =>
  answering('application/json', [text], headers);
const stream = (...pieces: (string | Buffer)[]) => answering('text/event-stream', pieces);
/** Names of the tools in all messages of an answer, by a reader that keeps to the rules of event streams. */
function toolsIn({ headers, text }: Answer): string[] {
  const messages = String(headers['content-type']).startsWith('text/event-stream')
    ? text
        .replace(/^\ufeff/, '')
        .split(/(?:\r\n|\r|\n){2,}/)
        .map((event) =>
          event
            .split(/\r\n|\r|\n/)
            .filter((line) => line.startsWith('data:'))
            .map((line) => line.slice(5).replace(/^ /, ''))
            .join('\n'),
        )
        .filter((data) => data.trim() !== '')
    : [text];
  return messages
    .flatMap((message) => JSON.parse(message) as { result?: { tools?: { name: string }[] } })
    .flatMap(({ result }) => result?.tools ?? [])
    .map(({ name }) => name);
}

describe('tools/list', () => {
  it.each<[string, Record<string, unknown>, string[]]>([
    ['nothing more', {}, ['read']],
    ['the scope', { scope: 'w' }, ['read', 'write']],
    ['the claim', { groups: ['ops'] }, ['read', 'admin']],
    ['both', { scope: 'w', groups: 'ops' }, ['read', 'write', 'admin']],
  ])(
    'shows to who has %s what that caller may call, and what it shows not is refused',
    async (_, claims, tools) => {
      fixture.answer = json(LISTED);
      const answer = await ask(LIST, { claims });
      expect(toolsIn(answer)).toEqual(tools);
      expect(JSON.parse(answer.text)).toMatchObject({ result: { cacheScope: 'private' } });
      expect(answer.headers['content-length']).toBe(String(Buffer.byteLength(answer.text)));
      for (const { name } of TOOLS) {
        const { status } = await ask({ ...CALL, params: { name } }, { claims });
        expect([name, status]).toEqual([name, tools.includes(name) ? 200 : 403]);
      }
    },
  );
  it('is not touched on a route whose rules hide nothing', async () => {
    fixture.answer = json(LISTED);
    expect((await ask(LIST, { path: '/open' })).text).toBe(LISTED);
  });
  it('keeps what else the answer says, and drops what was true of the whole', async () => {
    fixture.answer = json(LISTED, {
      ETag: '"a"',
      'Mcp-Session-Id': 's',
      'X-Other': 'o',
      'Content-Digest': 'x',
    });
    const { headers } = await ask(LIST);
    expect([headers.etag, headers['content-digest'], headers['x-other']]).toEqual([
      undefined,
      undefined,
      'o',
    ]);
    expect(headers['mcp-session-id']).toMatch(/\.s$/);
  });
  it.each<[string, (string | Buffer)[]]>([
    ['in one piece', [DATA]],
    ['among others', [NOTE + DATA + NOTE]],
    ['byte by byte', [...Buffer.from(NOTE + DATA + NOTE)].map((byte) => Buffer.of(byte))],
    ['with CRLF', [(NOTE + DATA).replaceAll('\n', '\r\n')]],
    [
      'with CRLF, byte by byte',
      [...Buffer.from((DATA + NOTE).replaceAll('\n', '\r\n'))].map((b) => Buffer.of(b)),
    ],
    ['with CR', [(NOTE + DATA).replaceAll('\n', '\r')]],
    ['after a byte order mark', ['\ufeff' + DATA]],
    ['after a byte order mark in pieces', [Buffer.of(0xef), Buffer.of(0xbb, 0xbf), DATA]],
    ['without a space', [DATA.replace('data: ', 'data:')]],
    [
      'in several data lines',
      [DATA.replaceAll(',', ',\ndata: ').replace('data: ', 'event: message\nid: 7\ndata: ')],
    ],
    ['between a comment with quotes', [`: it's "\n${DATA}`]],
    ['after an id with quotes', [`id: "{\n${DATA}`]],
    ['with escapes', [DATA.replace('tools', 't\\u006fols').replace('"result"', '"r\\u0065sult"')]],
    ['in a batch', [`data: [${LISTED},${LISTED.replace('"id":1', '"id":2')}]\n\n`]],
    ['without its empty line at the end', [DATA.trimEnd()]],
  ])('in an event stream, %s', async (_, pieces) => {
    fixture.answer = stream(...pieces);
    const answer = await ask(LIST);
    expect([answer.status, new Set(toolsIn(answer))]).toEqual([200, new Set(['read'])]);
    expect(answer.text).not.toContain('drop');
    expect(answer.text).toContain('"cacheScope":"private"');
  });
  it('keeps id, event and retry of an event that is cut, and the others as they are', async () => {
    fixture.answer = stream(`: hi\n\n${NOTE}event: message\nid: 7\nretry: 9\n${DATA}`);
    const { text } = await ask(LIST);
    expect(text).toMatch(/^: hi\n\n/);
    expect(text).toContain(NOTE);
    expect(text).toMatch(/event: message\nid: 7\nretry: 9\ndata: \{.*\}\n\n$/);
  });
  it('ends what a stream said so far at once: what comes next is not waited for', async () => {
    let last: ServerResponse | undefined;
    fixture.answer = (_, response) => {
      last = response;
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      response.write(NOTE.replaceAll('\n', '\r\n'));
    };
    const asked = ask(LIST);
    // The gateway passes the event on, LF of its last CRLF included, while its backend says nothing more.
    await new Promise((resolve) => setTimeout(resolve, 300));
    last!.end();
    expect((await asked).text).toBe(NOTE.replaceAll('\n', '\r\n'));
  });
});

describe('by another way a list', () => {
  it('that a GET resumes is cut, too', async () => {
    fixture.answer = stream(NOTE, `id: 9\n${DATA}`);
    const answer = await ask(undefined, { method: 'GET', headers: { 'last-event-id': '8' } });
    expect(toolsIn(answer)).toEqual(['read']);
  });
  // A server that finds the stream of an answer by its id puts the list where the later request with that id waits.
  it.each(['JSON', 'a stream'])('that answers a call with the same id is cut: %s', async (form) => {
    fixture.answer = form === 'JSON' ? json(LISTED) : stream(DATA);
    expect(toolsIn(await ask(CALL))).toEqual(['read']);
  });
  it('that a response to the server brings is cut', async () => {
    fixture.answer = json(LISTED);
    expect(toolsIn(await ask({ jsonrpc: '2.0', id: 1, result: {} }))).toEqual(['read']);
  });
  it('of an error status is cut', async () => {
    fixture.answer = answering('application/json', [LISTED], {}, 404);
    const answer = await ask(LIST);
    expect([answer.status, toolsIn(answer)]).toEqual([404, ['read']]);
  });
  it('that calls itself text is cut', async () => {
    fixture.answer = answering('text/plain', [LISTED]);
    expect(toolsIn(await ask(LIST))).toEqual(['read']);
  });
});

describe('what cannot be read is refused, and never passes', () => {
  const OK = '"result":{"tools":[';
  it.each<[string, string | Buffer, Record<string, string>?]>([
    ['a body that is encoded', gzipSync(LISTED), { 'Content-Encoding': 'gzip' }],
    ['one that says so and is not', LISTED, { 'Content-Encoding': 'identity' }],
    ['a member that stands twice', LISTED.replace(OK, `"result":{"tools":[],"tools":[`)],
    ['another case', LISTED.replace('"tools"', '"Tools"')],
    ['NaN', LISTED.replace('"public"', 'NaN')],
    ['UTF-16', Buffer.from(LISTED, 'utf16le')],
    ['no UTF-8', Buffer.concat([Buffer.from(LISTED.slice(0, -3)), Buffer.of(0xff), Buffer.from('"}}')])],
    ['half a body', LISTED.slice(0, -5)],
    ['a list that is too long', LISTED.replace(OK, `${OK}"${'x'.repeat(3 * 2 ** 20)}",`)],
  ])('%s', async (_, body, headers = {}) => {
    fixture.answer = json(body, headers);
    const answer = await ask(LIST);
    expect([answer.status, await reasonOf(fixture, answer)]).toEqual([502, 'upstream_failed']);
    expect(answer.text).not.toContain('drop');
    expect(JSON.parse(answer.text)).toMatchObject({ id: 1, error: { data: { reason: 'upstream_failed' } } });
  });
  it.each<[string, string]>([
    ['a member that stands twice', DATA.replace(OK, `"result":{"tools":[],"tools":[`)],
    ['another case', DATA.replace('"tools"', '"Tools"')],
    ['a list that is too long', DATA.replace(OK, `"result":{"tools":["${'x'.repeat(3 * 2 ** 20)}",`)],
  ])('in a stream: %s is an error of the request, after what came before', async (_, event) => {
    fixture.answer = stream(NOTE + event + NOTE);
    const answer = await ask(LIST);
    expect(answer.text.startsWith(NOTE)).toBe(true);
    expect(answer.text).not.toContain('drop');
    expect(answer.text).toMatch(/data: \{"jsonrpc":"2.0","id":1,"error":\{"code":-32603,[^}]*\}\}\n\n$/);
  });
  it.each(['JSON', 'a stream'])('%s: a list behind more than is held is cut off', async (form) => {
    const late = LISTED.replace(OK, `"result":{"x":"${'x'.repeat(3 * 2 ** 20)}","tools":[`);
    fixture.answer = form === 'JSON' ? json(late) : stream(`${NOTE}data: ${late}\n\n`);
    await expect(ask(LIST)).rejects.toThrow(/aborted|ECONNRESET/);
  });
  it('in a stream that a GET opened: it is cut off', async () => {
    fixture.answer = stream(NOTE, DATA.replace('"public"', 'NaN'));
    await expect(ask(undefined, { method: 'GET' })).rejects.toThrow(/aborted|ECONNRESET/);
    const ended = (await fixture.audit()).at(-1);
    expect(ended).toMatchObject({ ended: 'unreadable', complete: false });
  });
});

describe('what lists nothing passes as it is, however large', () => {
  const result = (text: string) =>
    JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      result: { content: [{ type: 'text', text }], x: { tools: TOOLS } },
    });
  const LARGE = result('y'.repeat(5 * 2 ** 20));
  it.each<[string, (string | Buffer)[], string]>([
    ['text', ['not found'], 'text/plain'],
    ['nothing', [], 'application/json'],
    ['JSON with a NaN', ['{"jsonrpc":"2.0","id":1,"result":{"x":NaN}}'], 'application/json'],
    ['a large result', [LARGE], 'application/json'],
    ['a large result in pieces', LARGE.match(/[^]{1,100000}/g)!, 'application/json'],
    ['a large event', [`data: ${LARGE}\n\n`, NOTE], 'text/event-stream'],
    [
      'a large event in pieces',
      `id: 1\r\ndata: ${LARGE}\r\n\r\n`.match(/[^]{1,100000}/g)!,
      'text/event-stream',
    ],
  ])('%s', async (_, pieces, type) => {
    fixture.answer = answering(type, pieces);
    const { status, text } = await ask(CALL);
    expect(status).toBe(200);
    expect(text === pieces.join('')).toBe(true);
  });
});
