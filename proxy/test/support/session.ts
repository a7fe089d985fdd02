import type { Ask, Bed } from './gateway.js';

/** Begins a session that the backend calls `id`; returns what its caller knows it by. */
export async function beginSession(bed: Bed, ask: Ask, id: string): Promise<string> {
  const usual = bed.answer;
  bed.answer = (_, response) => response.writeHead(200, { 'Mcp-Session-Id': id }).end('{}');
  try {
    const { headers } = await bed.ask(ask);
    return headers['mcp-session-id'] as string;
  } finally {
    bed.answer = usual;
    bed.seen.length = 0;
  }
}
