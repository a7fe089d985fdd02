import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';

export interface FetchOptions {
  readonly caFile: string | undefined;
  readonly timeoutSeconds: number;
  readonly maxBytes: number;
}

/** GET of a small text. Follows no redirect, reads no more than `maxBytes`, waits no longer than `timeoutSeconds` in all; rejects otherwise. */
export function fetchText(url: string, { caFile, timeoutSeconds, maxBytes }: FetchOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { headers: { Accept: 'application/json' }, ...(caFile === undefined ? {} : { ca: readFileSync(caFile, 'utf8') }) };
    const request = (url.startsWith('https:') ? https : http).get(url, options, (answer) => {
      if (answer.statusCode !== 200) return request.destroy(new Error(`status ${answer.statusCode}, want 200`));
      const chunks: Buffer[] = [];
      let bytes = 0;
      answer.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > maxBytes) request.destroy(new Error(`more than ${maxBytes} bytes`));
        chunks.push(chunk);
      });
      answer.on('end', () => (answer.complete ? resolve(Buffer.concat(chunks).toString('utf8')) : reject(new Error('cut off'))));
      answer.on('error', reject);
    });
    const timer = setTimeout(() => request.destroy(new Error(`no answer in ${timeoutSeconds} s`)), timeoutSeconds * 1000);
    request.on('error', reject);
    request.on('close', () => clearTimeout(timer));
  });
}
