/**
 * What stands in front of a gateway in most places: a proxy that ends TLS, cuts a path off and says who the client is.
 * Real ones before the shipped bundle, with the configs of docs/guides/fronts.md.
 */
import { execFileSync } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import type { ConfigInput } from '../../../proxy/src/config/index.js';
import { freePort, type Answer } from '../../../proxy/test/support/gateway.js';
import { makeCertificate } from '../../../proxy/test/support/http2.js';
import { accessToken, ec, jwkOf, proof, rsa, thumbprint } from '../../../proxy/test/support/mint.js';
import { until } from '../../../proxy/test/support/until.js';
import { Daemon, needs } from '../support/daemon.js';
import { startGatewayProcess, type GatewayProcess } from '../support/gateway-process.js';
import { expectInterop, interopRows } from '../support/interop.js';
import { configFileOf, FRONTS, NAME, testedVersion, type Front, type Place } from './fronts-of-guide.js';

const PREFIX = '/ai';
/** Another address of the loopback than the front's own. */
const CLIENT_ADDRESS = '127.0.0.2';
const READY_MS = 15_000;

const as = rsa();
const client = ec();

/** A backend that records what reaches it. */
class Backend {
  readonly seen: IncomingMessage[] = [];
  answer: (response: ServerResponse) => void = (response) => response.end('{"ok":true}');
  readonly #server = http.createServer((message, response) => {
    this.seen.push(message);
    message.resume().on('end', () => this.answer(response));
  });

  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

function configFor(
  dir: string,
  origin: string,
  url: string,
  { certificateFrom, forwardedHeader }: Front,
): ConfigInput {
  const jwks = { keys: [{ ...jwkOf(as), kid: 'as-1', alg: 'RS256', use: 'sig' }] };
  writeFileSync(join(dir, 'jwks.json'), JSON.stringify(jwks));
  return {
    version: 1,
    publicOrigins: [origin],
    publicPathPrefix: PREFIX,
    trustedPeers: ['127.0.0.1/32'],
    // What the front says of proto and host is read, too, where the config of the guide has it say so.
    ...(forwardedHeader === undefined ? {} : { forwardedHeader, originFrom: 'forwarded' }),
    issuers: [{ name: 'as', issuer: 'https://as.example', jwks: { file: join(dir, 'jwks.json') } }],
    replay: { store: 'memory' },
    routes: [
      {
        kind: 'mcp',
        name: 'mcp',
        pathPrefix: '/mcp',
        auth: { profile: 'dpop', issuers: ['as'] },
        backend: { url },
      },
      {
        kind: 'mcp',
        name: 'bound',
        pathPrefix: '/bound',
        auth: { profile: 'mtls', issuers: ['as'], certificateFrom: certificateFrom ?? 'header' },
        backend: { url },
      },
    ],
    audit: { file: join(dir, 'audit.jsonl') },
    drainSeconds: 1,
  };
}

describe.each(Object.entries(FRONTS))('behind %s', (name, front) => {
  const program = front.program();
  needs(`behind ${name}`, 'missing' in program ? [program.missing] : []);
  if ('missing' in program) return;

  const dir = mkdtempSync(join(tmpdir(), 'agw-front-'));
  const backend = new Backend();
  const row = name.toLowerCase().replaceAll(' ', '-');
  /** What held, for docs/reference/interop.md: each test says so at its end. */
  const held: string[] = [];
  let gateway: GatewayProcess;
  let daemon: Daemon;
  let place: Place;
  let origin: string;
  let ca: string;
  /** What the client of this test holds, and proves to hold. */
  let identity: { readonly cert: string; readonly key: string };

  beforeAll(async () => {
    const [frontPort, url] = [await freePort(), await backend.listen()];
    origin = `https://${NAME}:${frontPort}`;
    gateway = await startGatewayProcess(configFor(dir, origin, url, front), { dir, name: 'gateway' });
    const { certFile, keyFile } = makeCertificate(dir, 'front', `DNS:${NAME}`);
    ca = readFileSync(certFile, 'utf8');
    writeFileSync(join(dir, 'front.pem'), ca + readFileSync(keyFile, 'utf8'));
    const mine = makeCertificate(dir, 'client');
    copyFileSync(mine.certFile, join(dir, 'clients.crt'));
    identity = { cert: readFileSync(mine.certFile, 'utf8'), key: readFileSync(mine.keyFile, 'utf8') };
    place = { port: gateway.port, front: frontPort, dir };
    // Caddy keeps what it was told in the user's home, else.
    const env = [`XDG_CONFIG_HOME=${dir}`, `XDG_DATA_HOME=${dir}`];
    const args = front.args(configFileOf(name, place), place);
    daemon = new Daemon('/usr/bin/env', [...env, program.path, ...args]);
    const isUp = () =>
      ask({ path: `${PREFIX}/healthz`, method: 'GET' }).then(
        ({ status }) => status === 200,
        () => false,
      );
    for (const began = performance.now(); !(await isUp()); await sleep(100))
      if (performance.now() - began > READY_MS) throw new Error(`${name} is not up; it said: ${daemon.said}`);
  }, 60_000);
  afterAll(async () => {
    await daemon?.stop();
    await gateway?.stop();
    backend.close();
    rmSync(dir, { recursive: true, force: true });
  });
  beforeEach(() => {
    backend.seen.length = 0;
    backend.answer = (response) => response.end('{"ok":true}');
  });

  interface Ask {
    readonly path?: string;
    readonly method?: string;
    readonly headers?: Record<string, string>;
    readonly identity?: typeof identity;
    readonly onData?: (text: string) => void;
  }
  function ask({
    path = `${PREFIX}/mcp`,
    method = 'POST',
    headers = {},
    identity: shown,
    onData,
  }: Ask): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const out = https.request(
        {
          host: '127.0.0.1',
          port: place.front,
          path,
          method,
          headers: { host: `${NAME}:${place.front}`, ...headers },
          servername: NAME,
          ca,
          localAddress: CLIENT_ADDRESS,
          agent: false,
          ...shown,
        },
        (answer) => {
          let text = '';
          answer.on('data', (chunk: Buffer) => {
            text += chunk.toString();
            onData?.(text);
          });
          answer
            .on('end', () => resolve({ status: answer.statusCode!, headers: answer.headers, text }))
            .on('error', reject);
        },
      );
      out.on('error', reject).end(method === 'POST' ? '{}' : undefined);
    });
  }
  const signed = (htu = `${origin}${PREFIX}/mcp`, method = 'POST') => {
    const token = accessToken(as, { cnf: { jkt: thumbprint(client) }, aud: `${origin}${PREFIX}/mcp` });
    return { authorization: `DPoP ${token}`, dpop: proof(client, method, htu, token) };
  };
  /** The audit line of an answer. */
  const recordOf = async ({ headers }: Answer): Promise<Record<string, unknown>> => {
    const id = headers['x-request-id'] as string;
    const lines = () => readFileSync(join(dir, 'audit.jsonl'), 'utf8').split('\n');
    await until(() => lines().some((line) => line.includes(id)));
    return JSON.parse(lines().find((line) => line.includes(id))!) as Record<string, unknown>;
  };

  it('of the version that the guide says it was tested with', () => {
    const options: Record<string, string> = { Caddy: 'version', Envoy: '--version' };
    const said = execFileSync('sh', ['-c', '"$@" 2>&1', 'sh', program.path, options[name] ?? '-v'], {
      encoding: 'utf8',
    });
    expect(said).toContain(testedVersion(name)!);
    expect(interopRows()[`front-${row}`]!.version).toBe(testedVersion(name));
  });
  it('a proof for the URL that the client sees passes once, one for the URL that the gateway sees never', async () => {
    const headers = signed();
    expect((await ask({ headers })).status).toBe(200);
    expect((await ask({ headers })).status).toBe(401);
    expect((await ask({ headers: signed(`${origin}/mcp`) })).status).toBe(401);
    expect((await ask({ headers: signed(`http://127.0.0.1:${place.port}/mcp`) })).status).toBe(401);
    expect(backend.seen.map(({ url }) => url)).toEqual(['/mcp']);
    held.push('proofs for the public URL');
  });
  it('the audit names the client, not the front, and not who the client says it is', async () => {
    const lies = {
      'x-forwarded-for': '203.0.113.9',
      forwarded: 'for=203.0.113.9',
      'x-real-ip': '203.0.113.9',
      'true-client-ip': '203.0.113.9',
    };
    const answer = await ask({ headers: { ...signed(), ...lies } });
    expect(await recordOf(answer)).toMatchObject({ 'client.address': CLIENT_ADDRESS, reason: 'ok' });
    expect(JSON.stringify(backend.seen.at(-1)!.rawHeaders)).not.toContain('203.0.113.9');
    held.push("the client's address");
  });
  it('the challenge points to metadata where the client can read it', async () => {
    const refused = await ask({});
    const [, url] = /resource_metadata="([^"]+)"/.exec(refused.headers['www-authenticate']!)!;
    expect(url).toBe(`${origin}/.well-known/oauth-protected-resource${PREFIX}/mcp`);
    held.push('metadata');
  });
  it('an event comes when it happens, and an answer that is none may wait', async () => {
    let finish = () => {};
    backend.answer = (response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: first\n\n');
      finish = () => response.end('data: last\n\n');
    };
    const { text } = await ask({
      method: 'GET',
      headers: signed(undefined, 'GET'),
      onData: (so) => {
        if (so === 'data: first\n\n') finish();
      },
    });
    expect(text).toBe('data: first\n\ndata: last\n\n');
    held.push('events as they happen');
  });
  it("the backend's own redirect leads back through the front", async () => {
    backend.answer = (response) => response.writeHead(307, { Location: '/mcp/' }).end();
    const { headers } = await ask({ headers: signed() });
    expect(new URL(headers.location!, origin).href).toBe(`${origin}${PREFIX}/mcp/`);
    backend.answer = (response) => response.end('there');
    const followed = await ask({ path: `${PREFIX}/mcp/`, headers: signed(`${origin}${PREFIX}/mcp/`) });
    expect(followed.text).toBe('there');
    held.push('redirects');
  });

  const x5tOf = (pem: string) =>
    createHash('sha256').update(new X509Certificate(pem).raw).digest('base64url');
  const bound = () => {
    const token = accessToken(as, {
      cnf: { 'x5t#S256': x5tOf(identity.cert) },
      aud: `${origin}${PREFIX}/bound`,
    });
    return { authorization: `Bearer ${token}` };
  };
  const path = `${PREFIX}/bound`;
  if (front.certificateFrom !== undefined)
    it('a certificate-bound token passes with its certificate, and with no other', async () => {
      expect((await ask({ path, headers: bound(), identity })).status).toBe(200);
      const other = makeCertificate(dir, 'other');
      const shown = { cert: readFileSync(other.certFile, 'utf8'), key: readFileSync(other.keyFile, 'utf8') };
      const answer = await ask({ path, headers: bound(), identity: shown }).catch(() => undefined);
      expect(answer?.status ?? 'no connection').not.toBe(200);
      expect(backend.seen).toHaveLength(1);
      held.push('certificate-bound tokens');
    });
  it("a certificate that the client writes into the front's own fields is nobody's", async () => {
    const { raw } = new X509Certificate(identity.cert);
    const answer = await ask({
      path,
      headers: {
        ...bound(),
        'client-cert': `:${raw.toString('base64')}:`,
        'x-forwarded-client-cert': `Hash=${createHash('sha256').update(raw).digest('hex')}`,
      },
    });
    expect([answer.status, (await recordOf(answer)).reason]).toEqual([401, 'certificate_missing']);
  });

  it.each([
    ['CL.TE', 'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'],
    ['TE behind a vertical tab', 'Content-Length: 5\r\nTransfer-Encoding: \x0bchunked\r\n', '0\r\n\r\n'],
    ['a list of lengths', 'Content-Length: 0, 44\r\n', ''],
    ['TE.TE', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n', '0\r\n\r\n'],
    ['a bare LF chunk', 'Transfer-Encoding: chunked\r\n', '2\nab\n0\n\n'],
  ])('what the two could read differently brings no second request: %s', async (_, lines, body) => {
    const headers = Object.entries(signed())
      .map(([k, v]) => `${k}: ${v}\r\n`)
      .join('');
    const smuggled = `GET ${PREFIX}/smuggled HTTP/1.1\r\nHost: ${NAME}:${place.front}\r\n\r\n`;
    await new Promise<void>((resolve) => {
      const socket = tls.connect(
        {
          host: '127.0.0.1',
          port: place.front,
          servername: NAME,
          ca,
          localAddress: CLIENT_ADDRESS,
        } as tls.ConnectionOptions,
        () =>
          socket.write(
            `POST ${PREFIX}/mcp HTTP/1.1\r\nHost: ${NAME}:${place.front}\r\n${headers}${lines}\r\n${body}${smuggled}`,
            'latin1',
          ),
      );
      socket
        .on('error', () => {})
        .on('close', () => resolve())
        .on('data', () => {});
      setTimeout(() => socket.destroy(), 300);
    });
    expect(backend.seen.length).toBeLessThanOrEqual(1);
    expect(backend.seen.some(({ url }) => url!.includes('smuggled'))).toBe(false);
    expect((await ask({ headers: signed() })).status).toBe(200);
    held.push('no request smuggled in');
  });
  it('is what docs/reference/interop.md says of it', () => {
    expectInterop(`front-${row}`, [...new Set(held)]);
  });
});
