/**
 * For clients that know nothing of DPoP: a relay on loopback that adds the access token and a fresh proof to
 * each request, and passes everything else as it is, both ways.
 */
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { generateProof, type KeyPair } from 'dpop';

export interface SigningRelay {
  readonly origin: string;
  /** Where to, and as whom; until it is set the relay passes requests on unsigned. */
  signer: { readonly keys: KeyPair; token(resource: string): Promise<string> } | undefined;
  target: string;
  stop(): Promise<void>;
}

const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'te',
  'trailer',
  'upgrade',
  'proxy-authorization',
  'proxy-authenticate',
]);
/** Raw header lines without those that belong to one connection; Host stays as the client sent it. */
const endToEnd = (raw: readonly string[]): string[] =>
  raw.flatMap((name, i) => (i % 2 === 0 && !HOP_BY_HOP.has(name.toLowerCase()) ? [name, raw[i + 1]!] : []));

export async function startSigningRelay(): Promise<SigningRelay> {
  const pass = async (message: IncomingMessage, response: ServerResponse) => {
    const headers = endToEnd(message.rawHeaders);
    const htu = relay.target + message.url!.split('?')[0]!;
    if (relay.signer !== undefined) {
      const token = await relay.signer.token(htu);
      headers.push(
        'Authorization',
        `DPoP ${token}`,
        'DPoP',
        await generateProof(relay.signer.keys, htu, message.method!, undefined, token),
      );
    }
    if (response.closed) return; // the client went away while we signed
    if (message.headers['transfer-encoding'] !== undefined) headers.push('Transfer-Encoding', 'chunked');
    const { hostname, port } = new URL(relay.target);
    const out = http.request(
      { hostname, port, method: message.method, path: message.url, headers, agent: false, setHost: false },
      (answer) => {
        response.writeHead(answer.statusCode!, endToEnd(answer.rawHeaders));
        response.flushHeaders();
        answer.pipe(response);
        answer.on('error', () => response.destroy());
      },
    );
    out.on('error', () => response.destroy());
    response.on('close', () => {
      if (!response.writableFinished) out.destroy();
    });
    message.pipe(out);
  };
  const server = http.createServer((message, response) => {
    pass(message, response).catch((cause: unknown) => {
      console.error(cause);
      response.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const relay: SigningRelay = {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    signer: undefined,
    target: '',
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return relay;
}
