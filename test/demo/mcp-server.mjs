// A real MCP server (official SDK, Streamable HTTP with sessions). Usage: mcp-server.mjs PORT UPSTREAM_LOG
import { randomUUID } from 'node:crypto';
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { NodeStreamableHTTPServerTransport } from '@modelcontextprotocol/node';
import { McpServer } from '@modelcontextprotocol/server';
import * as z from 'zod';

const [port, log] = process.argv.slice(2);
const sessions = new Map();

function mcpServer() {
  const server = new McpServer({ name: 'demo-mcp-server', version: '1.0.0' });
  server.registerTool(
    'echo',
    { description: 'says it again', inputSchema: z.object({ text: z.string() }) },
    async ({ text }) => ({ content: [{ type: 'text', text }] }),
  );
  server.registerTool(
    'count',
    {
      description: 'counts, slowly and aloud',
      inputSchema: z.object({ to: z.number().int().min(1).max(10) }),
    },
    async ({ to }, context) => {
      const token = context.mcpReq?._meta?.progressToken ?? context._meta?.progressToken;
      const notify = context.mcpReq?.notify ?? context.sendNotification;
      for (let progress = 1; progress <= to; progress++) {
        if (token !== undefined)
          await notify({
            method: 'notifications/progress',
            params: { progressToken: token, progress, total: to },
          });
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      return { content: [{ type: 'text', text: `counted to ${to}` }] };
    },
  );
  return server;
}

createServer({ keepAliveTimeout: 65_000 }, async (request, response) => {
  if (request.url === '/ready') return response.end();
  appendFileSync(
    log,
    `${JSON.stringify({ backend: 'mcp', method: request.method, path: request.url, headers: request.headers })}\n`,
  );
  let transport = sessions.get(request.headers['mcp-session-id']);
  if (transport === undefined) {
    transport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (id) => {
        sessions.set(id, transport);
      },
      onsessionclosed: (id) => {
        sessions.delete(id);
      },
    });
    await mcpServer().connect(transport);
  }
  await transport.handleRequest(request, response);
}).listen(Number(port), '127.0.0.1');
