/**
 * A real MCP server (official SDK) with what the conformance suite's server scenarios ask for: sessions and
 * streams up to 2025-11-25, and 2026-07-28 beside them.
 */
import { randomUUID } from 'node:crypto';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  localhostHostValidation,
  localhostOriginValidation,
  NodeStreamableHTTPServerTransport,
  toNodeHandler,
} from '@modelcontextprotocol/node';
import {
  completable,
  createMcpHandler,
  fromJsonSchema,
  McpServer,
  ResourceTemplate,
  type CallToolResult,
  type ContentBlock,
  type ElicitRequestFormParams,
  type EventStore,
  type JSONRPCMessage,
  type ServerContext,
} from '@modelcontextprotocol/server';
import * as z from 'zod';

export interface McpPeer {
  readonly port: number;
  /** Everything that came in, oldest first. */
  readonly seen: { readonly method: string; readonly headers: http.IncomingHttpHeaders; aborted: boolean }[];
  readonly sessions: ReadonlyMap<string, unknown>;
  stop(): Promise<void>;
}

const PNG =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==';
const WAV = 'UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=';
const EMBEDDED: ContentBlock = {
  type: 'resource',
  resource: { uri: 'test://embedded-resource', mimeType: 'text/plain', text: 'embedded' },
};
const IMAGE: ContentBlock = { type: 'image', data: PNG, mimeType: 'image/png' };
const text = (said: string): ContentBlock => ({ type: 'text', text: said });
const said = (...content: ContentBlock[]): CallToolResult => ({ content });
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * A question goes out on the stream of the call that it is about: the SDK's default, the standalone stream,
 * loses it as long as the client has not opened that one.
 */
const onStreamOf = ({ mcpReq }: ServerContext) => ({ relatedRequestId: mcpReq.id });

type Schema = ElicitRequestFormParams['requestedSchema'];
const DEFAULTS: Schema = {
  type: 'object',
  properties: {
    name: { type: 'string', default: 'John Doe' },
    age: { type: 'integer', default: 30 },
    score: { type: 'number', default: 95.5 },
    status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
    verified: { type: 'boolean', default: true },
  },
};
const options = ['option1', 'option2', 'option3'];
const titled = [
  { const: 'value1', title: 'First' },
  { const: 'value2', title: 'Second' },
];
const ENUMS: Schema = {
  type: 'object',
  properties: {
    untitledSingle: { type: 'string', enum: options },
    titledSingle: { type: 'string', oneOf: titled },
    legacyEnum: { type: 'string', enum: ['opt1', 'opt2'], enumNames: ['One', 'Two'] },
    untitledMulti: { type: 'array', items: { type: 'string', enum: options } },
    titledMulti: { type: 'array', items: { anyOf: titled } },
  },
};
const SCHEMA_2020 = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object' as const,
  $defs: {
    address: { type: 'object', properties: { street: { type: 'string' }, city: { type: 'string' } } },
  },
  properties: { name: { type: 'string' }, address: { $ref: '#/$defs/address' } },
  additionalProperties: false,
};

function mcpServer(closeStream: (context: ServerContext) => void): McpServer {
  const server = new McpServer(
    { name: 'peer', version: '1.0.0' },
    {
      capabilities: {
        tools: { listChanged: true },
        resources: { subscribe: true, listChanged: true },
        prompts: { listChanged: true },
        logging: {},
        completions: {},
      },
    },
  );
  type Run = (context: ServerContext) => CallToolResult | Promise<CallToolResult>;
  const tool = (name: string, run: Run) =>
    server.registerTool(name, { description: `${name}, without arguments` }, run);
  const elicit = async (context: ServerContext, message: string, requestedSchema: Schema) => {
    const { action, content } = await context.mcpReq.elicitInput(
      { mode: 'form', message, requestedSchema },
      onStreamOf(context),
    );
    return said(text(`action=${action}, content=${JSON.stringify(content ?? {})}`));
  };

  server.registerTool(
    'echo',
    { description: 'says it again', inputSchema: z.object({ text: z.string() }) },
    (args) => said(text(args.text)),
  );
  tool('test_simple_text', () => said(text('This is a simple text response for testing.')));
  tool('test_image_content', () => said(IMAGE));
  tool('test_audio_content', () => said({ type: 'audio', data: WAV, mimeType: 'audio/wav' }));
  tool('test_embedded_resource', () => said(EMBEDDED));
  tool('test_multiple_content_types', () => said(text('Multiple content types test:'), IMAGE, EMBEDDED));
  tool('test_error_handling', () => {
    throw new Error('This tool intentionally returns an error for testing');
  });
  tool('test_tool_with_logging', async ({ mcpReq }) => {
    for (const step of ['started', 'processing', 'completed']) {
      await mcpReq.log('info', step);
      await sleep(50);
    }
    return said(text('logged'));
  });
  tool('test_tool_with_progress', async ({ mcpReq }) => {
    const progressToken = mcpReq._meta?.progressToken;
    for (const progress of [0, 50, 100]) {
      if (progressToken !== undefined)
        await mcpReq.notify({
          method: 'notifications/progress',
          params: { progressToken, progress, total: 100 },
        });
      await sleep(50);
    }
    return said(text('progressed'));
  });
  // Says one thing, so that there is an event to resume after, and ends the stream before the result.
  tool('test_reconnection', async (context) => {
    await context.mcpReq.log('info', 'about to close the stream');
    closeStream(context);
    await sleep(100);
    return said(text('reconnected'));
  });
  tool('notify_all', async () => {
    server.sendToolListChanged();
    await sleep(20);
    return said(text('notified'));
  });
  // Runs until it is cancelled or a minute is over.
  tool(
    'wait',
    ({ mcpReq }) =>
      new Promise((resolve) => {
        const timer = setTimeout(() => resolve(said(text('waited'))), 60_000);
        timer.unref();
        mcpReq.signal.addEventListener('abort', () => {
          clearTimeout(timer);
          resolve(said(text('cancelled')));
        });
      }),
  );
  server.registerTool(
    'test_sampling',
    { description: "asks the client's model", inputSchema: z.object({ prompt: z.string() }) },
    async ({ prompt }, context) => {
      const ask = {
        messages: [{ role: 'user' as const, content: { type: 'text' as const, text: prompt } }],
        maxTokens: 100,
      };
      const { content } = await context.mcpReq.requestSampling(ask, onStreamOf(context));
      return said(text(`LLM response: ${JSON.stringify(content)}`));
    },
  );
  server.registerTool(
    'test_elicitation',
    { description: 'asks the user', inputSchema: z.object({ message: z.string() }) },
    ({ message }, context) =>
      elicit(context, message, {
        type: 'object',
        properties: { username: { type: 'string' }, email: { type: 'string' } },
        required: ['username', 'email'],
      }),
  );
  tool('test_elicitation_sep1034_defaults', (context) => elicit(context, 'defaults', DEFAULTS));
  tool('test_elicitation_sep1330_enums', (context) => elicit(context, 'enums', ENUMS));
  const inputSchema = fromJsonSchema(SCHEMA_2020);
  server.registerTool(
    'json_schema_2020_12_tool',
    { description: 'JSON Schema 2020-12', inputSchema },
    (args) => said(text(JSON.stringify(args))),
  );

  const resource = (
    name: string,
    uri: string,
    mimeType: string,
    content: { text: string } | { blob: string },
  ) =>
    server.registerResource(name, uri, { description: name, mimeType }, () => ({
      contents: [{ uri, mimeType, ...content }],
    }));
  resource('static-text', 'test://static-text', 'text/plain', {
    text: 'This is the content of the static text resource.',
  });
  resource('static-binary', 'test://static-binary', 'image/png', { blob: PNG });
  resource('watched', 'test://watched-resource', 'text/plain', { text: 'watched' });
  const byId = new ResourceTemplate('test://template/{id}/data', { list: undefined });
  server.registerResource(
    'template',
    byId,
    { description: 'by id', mimeType: 'application/json' },
    (uri, { id }) => ({
      contents: [
        {
          uri: uri.href,
          mimeType: 'application/json',
          text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${String(id)}` }),
        },
      ],
    }),
  );
  for (const method of ['resources/subscribe', 'resources/unsubscribe'] as const)
    server.server.setRequestHandler(method, () => ({}));

  const user = (content: ContentBlock) => ({ role: 'user' as const, content });
  server.registerPrompt('test_simple_prompt', { description: 'simple' }, () => ({
    messages: [user(text('This is a simple prompt for testing.'))],
  }));
  server.registerPrompt(
    'test_prompt_with_arguments',
    {
      description: 'two arguments',
      argsSchema: z.object({
        arg1: completable(z.string(), (value) => ['test1', 'test2'].filter((word) => word.startsWith(value))),
        arg2: z.string(),
      }),
    },
    ({ arg1, arg2 }) => ({ messages: [user(text(`arg1='${arg1}', arg2='${arg2}'`))] }),
  );
  server.registerPrompt(
    'test_prompt_with_embedded_resource',
    { description: 'a resource', argsSchema: z.object({ resourceUri: z.string() }) },
    ({ resourceUri }) => ({
      messages: [
        user({ type: 'resource', resource: { uri: resourceUri, mimeType: 'text/plain', text: 'embedded' } }),
        user(text('Please process it.')),
      ],
    }),
  );
  server.registerPrompt('test_prompt_with_image', { description: 'an image' }, () => ({
    messages: [user(IMAGE), user(text('Please analyze it.'))],
  }));
  return server;
}

/** Event ids are `stream/number`. */
function eventStore(): EventStore {
  const events: { id: string; stream: string; message: JSONRPCMessage }[] = [];
  return {
    async storeEvent(stream, message) {
      const id = `${stream}/${events.length}`;
      events.push({ id, stream, message });
      return id;
    },
    async replayEventsAfter(last, { send }) {
      const from = events.findIndex(({ id }) => id === last);
      const stream = events[from]?.stream ?? last.slice(0, last.lastIndexOf('/'));
      for (const event of events.slice(from + 1))
        if (event.stream === stream && Object.keys(event.message).length > 0)
          await send(event.id, event.message);
      return stream;
    },
  };
}

export async function startMcpServer(): Promise<McpPeer> {
  const seen: McpPeer['seen'] = [];
  const sessions = new Map<string, NodeStreamableHTTPServerTransport>();
  const modern = createMcpHandler(() => mcpServer(() => undefined), { legacy: 'reject' });
  const answerModern = toNodeHandler(modern);
  const hostIsLocal = localhostHostValidation();
  const originIsLocal = localhostOriginValidation();

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const record = { method: request.method!, headers: request.headers, aborted: false };
    seen.push(record);
    response.on('close', () => {
      record.aborted = !response.writableFinished;
    });
    if (!hostIsLocal(request, response) || !originIsLocal(request, response)) return;
    if ((request.headers['mcp-protocol-version'] ?? '') >= '2026-07-28')
      return answerModern(request as IncomingMessage & { method: string; url: string }, response);
    const id = request.headers['mcp-session-id'];
    let transport = typeof id === 'string' ? sessions.get(id) : undefined;
    if (id !== undefined && transport === undefined) {
      response
        .writeHead(404, { 'Content-Type': 'application/json' })
        .end('{"jsonrpc":"2.0","error":{"code":-32001,"message":"Session not found"},"id":null}');
      return;
    }
    if (transport === undefined) {
      const fresh = new NodeStreamableHTTPServerTransport({
        sessionIdGenerator: () => randomUUID(),
        eventStore: eventStore(),
        retryInterval: 100,
        onsessioninitialized: (session) => {
          sessions.set(session, fresh);
        },
        onsessionclosed: (session) => {
          sessions.delete(session);
        },
      });
      await mcpServer(({ mcpReq }) => fresh.closeSSEStream(mcpReq.id)).connect(fresh);
      transport = fresh;
    }
    await transport.handleRequest(request, response);
  };
  const server = http.createServer((request, response) => {
    answer(request, response).catch((cause: unknown) => {
      console.error(cause);
      response.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    sessions,
    async stop() {
      for (const transport of sessions.values()) await transport.close();
      await modern.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
