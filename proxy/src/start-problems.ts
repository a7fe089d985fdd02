/** What `serve` will need of the machine that it runs on, tried: `agw check` says it before. */
import { accessSync, closeSync, constants, existsSync, openSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname } from 'node:path';
import type { Config } from './config/index.js';

/** One sentence for each reason why `serve` could not start here. Nothing is left behind. */
export async function startProblems({ audit, listen, admin }: Config): Promise<string[]> {
  const found = [
    auditProblem(audit.file),
    await portProblem('listen', listen),
    await portProblem('admin', admin),
  ];
  return found.filter((problem) => problem !== undefined);
}

function auditProblem(file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  const there = existsSync(file);
  const directory = dirname(file);
  try {
    // It is not opened for writing where it is not there: that would make it; nor is a pipe, which waits for a reader.
    if (there && statSync(file).isFIFO()) accessSync(file, constants.W_OK);
    else if (there) closeSync(openSync(file, 'a'));
    else accessSync(directory, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (cause) {
    const want = there ? 'must be a file that can be written' : 'must be in a directory that can be written';
    const got = `${JSON.stringify(there ? file : directory)} (${codeOf(cause)})`;
    return `audit.file: ${want}, got ${got}; mount a volume there that this user owns`;
  }
}

interface Address {
  readonly host?: string | undefined;
  readonly port: number;
}

/** Listens there for a moment. */
function portProblem(where: string, { host, port }: Address): Promise<string | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', (cause) => {
      const [field, next] = ADVICE[codeOf(cause)] ?? ['port', 'name another'];
      const got = field === 'host' ? JSON.stringify(host) : String(port);
      resolve(`${where}.${field}: must be free to listen on, got ${got} (${codeOf(cause)}); ${next}`);
    });
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}

/** By the code of the error: the field that is no good, and what to do. */
const ADVICE: Readonly<Record<string, readonly ['host' | 'port', string]>> = {
  EADDRINUSE: ['port', 'another process listens there: end it, or name another port'],
  EACCES: ['port', 'this user may not: name one from 1024 up'],
  EADDRNOTAVAIL: ['host', 'this machine has no such address: name one of its own, or none'],
  ENOTFOUND: ['host', 'nobody knows this name: name an address'],
};

const codeOf = (cause: unknown): string => (cause as NodeJS.ErrnoException).code ?? String(cause);
