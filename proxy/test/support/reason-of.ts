import type { Answer, GatewayFixture } from './gateway.js';

/** What the audit record of this answer says; waits for its line, which may come late on a busy machine. */
export async function reasonOf(fixture: GatewayFixture, { headers }: Answer): Promise<string> {
  for (let i = 0; i < 50; i++) {
    const record = (await fixture.audit()).find((r) => r['request.id'] === headers['x-request-id']);
    if (record !== undefined) return record.reason as string;
  }
  throw new Error(`no audit record of ${String(headers['x-request-id'])}`);
}
