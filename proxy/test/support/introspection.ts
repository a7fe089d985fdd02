/** What a config says of an authorization server that is asked about tokens (RFC 7662). */
import { writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

/** @param dir where the client's secret is written */
export function introspectionAt(server: Server, dir: string) {
  const file = join(dir, 'introspection-secret');
  writeFileSync(file, 'the-secret');
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, clientId: 'gw', clientSecret: { file } };
}
