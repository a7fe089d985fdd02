// What the benchmarks have in common: an issuer, a client with its key, gateways as processes of their own, and
// a load that costs less than its target.
import { spawn } from 'node:child_process';
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const here = dirname(fileURLToPath(import.meta.url));
export const ASSETS = join(here, '..', '..', 'assets');
const READY_MS = 10_000;

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
export const median = (numbers) => quantile(numbers, 0.5);
export const quantile = (numbers, q) => numbers.toSorted((x, y) => x - y)[Math.floor(numbers.length * q)];
export const rounded = (n, digits = 1) => Math.round(n * 10 ** digits) / 10 ** digits;
export const get = (url) =>
  new Promise((resolve, reject) =>
    http
      // No connection that may have ended while this process was busy.
      .get(url, { agent: false }, (r) => {
        let text = '';
        r.on('data', (c) => {
          text += c;
        }).on('end', () => resolve({ status: r.statusCode, text }));
      })
      .on('error', reject),
  );
export const freePort = () =>
  new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
const b64 = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const CURVES = { ES256: { curve: 'P-256', hash: 'sha256' }, ES384: { curve: 'P-384', hash: 'sha384' } };
const BODY =
  '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{"text":"hello"}}}';

/** @param alg of the proofs @param tokenAlg of the access tokens */
export function openBed({ alg = 'ES256', tokenAlg = 'RS256' } = {}) {
  const dir = mkdtempSync(join(tmpdir(), 'agw-bench-'));
  const children = [];
  const { curve, hash } = CURVES[alg];
  const as =
    tokenAlg === 'RS256'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: CURVES[tokenAlg].curve });
  const client = generateKeyPairSync('ec', { namedCurve: curve });
  const { kty, crv, x, y } = client.publicKey.export({ format: 'jwk' });
  const jkt = createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
  const jwksFile = join(dir, 'jwks.json');
  writeFileSync(
    jwksFile,
    JSON.stringify({
      keys: [{ ...as.publicKey.export({ format: 'jwk' }), kid: 'as-1', alg: tokenAlg, use: 'sig' }],
    }),
  );

  /** Starts a node process; resolves when `url` answers 200, with the time that took. */
  async function start(args, url) {
    const began = performance.now();
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
    children.push(child);
    for (;;) {
      if (child.exitCode !== null) throw new Error(`${args[0]} ended with ${child.exitCode}`);
      if ((await get(url).catch(() => undefined))?.status === 200)
        return { child, ms: performance.now() - began };
      if (performance.now() - began > READY_MS) throw new Error(`${args[0]}: not ready after ${READY_MS} ms`);
      await sleep(5);
    }
  }
  return {
    dir,
    jwksFile,
    client,
    start,
    children,
    /**
     * A gateway as the constructs start it.
     * @param origin of its clients; several gateways may stand for one
     * @param flags more flags of node
     */
    async startGateway({ name, backend, origin, assets = ASSETS, flags = [], ...change }) {
      const [port, adminPort] = change.ports ?? [await freePort(), await freePort()];
      delete change.ports;
      const own = origin ?? `http://127.0.0.1:${port}`;
      writeFileSync(
        join(dir, `${name}.json`),
        JSON.stringify({
          version: 1,
          listen: { host: '127.0.0.1', port },
          admin: { host: '127.0.0.1', port: adminPort },
          publicOrigins: [own],
          issuers: [
            { name: 'as', issuer: 'https://as.example', algorithms: [tokenAlg], jwks: { file: jwksFile } },
          ],
          replay: { store: 'memory', epochMarginSeconds: 0 },
          routes: [
            {
              kind: 'mcp',
              name: 'mcp',
              pathPrefix: '/mcp',
              auth: {
                profile: 'dpop',
                issuers: ['as'],
                audiences: [`${own}/mcp`],
                proofAlgorithms: [alg],
                proofMaxAgeSeconds: 3600,
              },
              backend: { url: `http://127.0.0.1:${backend}` },
            },
          ],
          audit: { file: join(dir, `${name}.jsonl`) },
          drainSeconds: 1,
          ...change,
        }),
      );
      const { child, ms } = await start(
        [
          '--max-semi-space-size=8',
          ...flags,
          join(assets, 'proxy.mjs'),
          'serve',
          '--config',
          join(dir, `${name}.json`),
        ],
        `http://127.0.0.1:${adminPort}/readyz`,
      );
      const cpu = async () =>
        Number(
          /^process_cpu_seconds_total(?:\{.*\})? ([\d.e-]+)/m.exec(
            (await get(`http://127.0.0.1:${adminPort}/metrics`)).text,
          )[1],
        );
      return { port, adminPort, child, readyMs: ms, cpu };
    },
    /**
     * Tokens, and what makes a proof with one. Proofs are from ahead of now, inside the skew: made before a
     * gateway starts, they would be older than its store.
     */
    signer(origin, method = 'POST') {
      const now = Math.floor(Date.now() / 1000);
      const tokenOf = (n) => {
        const header = { typ: 'at+jwt', alg: tokenAlg, kid: 'as-1' };
        const who = { iss: 'https://as.example', sub: 'agent', client_id: 'agent', cnf: { jkt } };
        const when = { iat: now, exp: now + 3600, jti: `bench-${n}` };
        const input = `${b64(header)}.${b64({ ...who, aud: `${origin}/mcp`, ...when })}`;
        const key = tokenAlg === 'RS256' ? as.privateKey : { key: as.privateKey, dsaEncoding: 'ieee-p1363' };
        const tokenHash = tokenAlg === 'RS256' ? 'sha256' : CURVES[tokenAlg].hash;
        return `${input}.${sign(tokenHash, Buffer.from(input), key).toString('base64url')}`;
      };
      const token = tokenOf(0);
      const header = b64({ typ: 'dpop+jwt', alg, jwk: { kty, crv, x, y } });
      const proof = (n, of = token) => {
        const ath = createHash('sha256').update(of).digest('base64url');
        const input = `${header}.${b64({ jti: `bench-${n}`, htm: method, htu: `${origin}/mcp`, iat: now + 30, ath })}`;
        const key = { key: client.privateKey, dsaEncoding: 'ieee-p1363' };
        return `${input}.${sign(hash, Buffer.from(input), key).toString('base64url')}`;
      };
      return { token, tokenOf, proof };
    },
    close() {
      for (const child of children) child.kill('SIGTERM');
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

export const postOf = (token, proof, host = '127.0.0.1') =>
  Buffer.from(
    [
      'POST /mcp HTTP/1.1',
      `Host: ${host}`,
      'Content-Type: application/json',
      'Accept: application/json, text/event-stream',
      `Content-Length: ${BODY.length}`,
      `Authorization: DPoP ${token}`,
      `DPoP: ${proof}`,
      '',
      BODY,
    ].join('\r\n'),
  );

/**
 * Sends prepared requests over keep-alive connections, one at a time each. Raw sockets: the load must not cost
 * more than its target.
 * @param perSecond sends at this rate, whether or not the ones before have been answered, as far as a
 *   connection is free; absent: as fast as they are answered
 * @returns seconds, how many were answered 200, and, at a rate, how long each took from when it was due
 */
export async function load(port, requests, { connections = 32, perSecond } = {}) {
  let next = 0;
  let ok = 0;
  const took = [];
  const began = performance.now();
  const idle = [];
  const dueAt = (n) => began + (n * 1000) / perSecond;
  const pump = () => {
    while (idle.length > 0 && next < requests.length && dueAt(next) <= performance.now()) idle.pop()();
  };
  const timer = perSecond === undefined ? undefined : setInterval(pump, 1);
  const worker = () =>
    new Promise((resolve, reject) => {
      const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
      let pending = '';
      let size = 0;
      let mine = -1;
      const send = () => {
        if (next === requests.length) return void socket.end();
        mine = next++;
        socket.write(requests[mine]);
      };
      const free = () => {
        if (perSecond === undefined || next === requests.length) return send();
        idle.push(send);
        pump();
      };
      socket.on('connect', free).on('error', reject).on('close', resolve);
      const answered = (good) => {
        if (good) ok += 1;
        if (perSecond !== undefined) took.push(performance.now() - dueAt(mine));
        free();
        if (next === requests.length) for (const end of idle.splice(0)) end();
      };
      socket.on('data', (chunk) => {
        // The usual answer again, in one piece.
        if (pending === '' && chunk.length === size && chunk[9] === 0x32) return answered(true);
        pending += chunk.toString('latin1');
        const head = pending.indexOf('\r\n\r\n');
        if (head === -1) return;
        const length = /^content-length: (\d+)/im.exec(pending.slice(0, head));
        if (length !== null ? pending.length < head + 4 + Number(length[1]) : !pending.endsWith('0\r\n\r\n'))
          return;
        const good = pending.startsWith('HTTP/1.1 200');
        size = good && length !== null && pending.length === chunk.length ? pending.length : 0;
        pending = '';
        answered(good);
      });
    });
  await Promise.all(Array.from({ length: connections }, worker));
  clearInterval(timer);
  return { seconds: (performance.now() - began) / 1000, ok, took };
}
