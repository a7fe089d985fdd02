import type { Ask, GatewayFixture } from './gateway.js';

/** Begins a session that the backend calls `id`; returns what its caller knows it by. */
export async function beginSession(fixture: GatewayFixture, ask: Ask, id: string): Promise<string> {
  const usual = fixture.answer;
  fixture.answer = (_, response) => response.writeHead(200, { 'Mcp-Session-Id': id }).end('{}');
  try {
    const { headers } = await fixture.ask(ask);
    return headers['mcp-session-id'] as string;
  } finally {
    fixture.answer = usual;
    fixture.seen.length = 0;
  }
}
