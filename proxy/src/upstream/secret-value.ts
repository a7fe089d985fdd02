import type { IncomingMessage } from 'node:http';
import { deny, type Denial } from '../pipeline/reason.js';

/** A Secret is at most 1 MiB (Kubernetes, Secrets), as base64 in JSON a third more, and managedFields beside it. */
const MAX_BYTES = 4 << 20;

/** The decoded value under `key` of the Secret that the API answered with. */
export function readSecretValue(answer: IncomingMessage, key: string): Promise<Buffer | Denial> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const end = (result: Buffer | Denial) => resolve(result);
    answer.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      chunks.push(chunk);
      if (bytes <= MAX_BYTES) return;
      end(deny('upstream_failed', `more than ${MAX_BYTES} bytes`));
      answer.destroy();
    });
    answer.once('end', () => end(valueOf(Buffer.concat(chunks), key)));
    answer.once('close', () => end(deny('upstream_failed', 'cut off')));
    answer.once('error', () => end(deny('upstream_failed', 'cut off')));
  });
}

function valueOf(text: Buffer, key: string): Buffer | Denial {
  let data: unknown;
  try {
    ({ data } = JSON.parse(text.toString()) as { data?: unknown });
  } catch {
    return deny('upstream_failed', 'not JSON');
  }
  const value =
    typeof data === 'object' && data !== null && Object.hasOwn(data, key)
      ? (data as Record<string, unknown>)[key]
      : undefined;
  if (value === undefined) return deny('secret_absent', 'it has no such key');
  return typeof value === 'string'
    ? Buffer.from(value, 'base64')
    : deny('upstream_failed', 'a value that is not a string');
}
