import { readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { Egress } from './egress-proxy.js';

export interface FetchOptions {
  readonly caFile: string | undefined;
  readonly timeoutSeconds: number;
  readonly maxBytes: number;
  /** Absent: every target is asked directly. */
  readonly egress: Egress | undefined;
  /** Present: a POST of this form instead of a GET. */
  readonly form?: { readonly body: string; readonly authorization: string };
}

/** An answer that is not 200. */
export class StatusError extends Error {
  readonly status: number;
  constructor(status: number) {
    super(`status ${status}, want 200${status === 407 ? ': the egress proxy wants other credentials' : ''}`);
    this.status = status;
  }
}

/**
 * GET (or POST of a form) for a small text. Follows no redirect, reads no more than `maxBytes`, waits no longer
 * than `timeoutSeconds` in all; rejects otherwise.
 */
export function fetchText(
  url: string,
  { caFile, timeoutSeconds, maxBytes, egress, form }: FetchOptions,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = {
      Accept: 'application/json',
      ...(form === undefined
        ? {}
        : {
            Authorization: form.authorization,
            'Content-Type': 'application/x-www-form-urlencoded',
            'Content-Length': Buffer.byteLength(form.body),
          }),
    };
    const options = {
      method: form === undefined ? 'GET' : 'POST',
      headers,
      agent: egress?.agentFor(url),
      patienceMs: timeoutSeconds * 1000,
      ...(caFile === undefined ? {} : { ca: readFileSync(caFile, 'utf8') }),
    };
    // Node tells of an error only once there is a connection; and an error of a socket whose short answer has just
    // ended has no listener, and would end the process.
    const fail = (error: Error) => {
      reject(error);
      request.destroy();
    };
    const request = (url.startsWith('https:') ? https : http).request(url, options, (answer) => {
      if (answer.statusCode !== 200) return fail(new StatusError(answer.statusCode!));
      const chunks: Buffer[] = [];
      let bytes = 0;
      answer.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > maxBytes) fail(new Error(`more than ${maxBytes} bytes`));
        chunks.push(chunk);
      });
      answer.on('end', () =>
        answer.complete ? resolve(Buffer.concat(chunks).toString('utf8')) : reject(new Error('cut off')),
      );
      answer.on('error', reject);
    });
    const timer = setTimeout(
      () => fail(new Error(`no answer in ${timeoutSeconds} s`)),
      timeoutSeconds * 1000,
    );
    request.on('error', reject);
    request.on('close', () => clearTimeout(timer));
    request.end(form?.body);
  });
}
