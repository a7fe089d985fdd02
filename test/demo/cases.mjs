// What the demo sends, and what must come back. `run` answers { got, detail }; a case passes when `got` equals `want`.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, DpopSession, StreamableHTTPClientTransport, withDpop } from '@modelcontextprotocol/client';
import { accessToken, createClient, dpopHeaders, dpopHeadersAt, selfSignedHeaders } from './mint.mjs';

const now = () => Math.floor(Date.now() / 1000);
const INITIALIZE = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'raw', version: '1' } },
});

/** One request, its path sent as it is: fetch would tidy it up. */
function send(origin, method, path, headers) {
  return new Promise((resolve, reject) => {
    const body = method === 'POST' ? INITIALIZE : undefined;
    const { hostname, port } = new URL(origin);
    const request = http.request(
      {
        hostname,
        port,
        method,
        path,
        headers: {
          accept: 'application/json, text/event-stream',
          ...(body ? { 'content-type': 'application/json' } : {}),
          ...headers,
        },
      },
      (response) => {
        let text = '';
        response.on('data', (chunk) => {
          text += chunk;
        });
        response.on('end', () =>
          resolve({
            status: response.statusCode,
            challenge: response.headers['www-authenticate'] ?? '',
            nonce: response.headers['dpop-nonce'],
            text,
          }),
        );
      },
    );
    request.on('error', reject).end(body);
  });
}

/** "401 DPoP invalid_token": status, and scheme and error of the challenge if there is one. */
function outline({ status, challenge }) {
  const scheme = /^\w+/.exec(challenge)?.[0];
  const error = /error="(\w+)"/.exec(challenge)?.[1];
  return [status, scheme, error].filter((part) => part !== undefined).join(' ');
}

/**
 * RFC 9449 8: a client that is told to use a nonce sends the request again, with a new proof that carries it. A
 * gateway that has just started asks for one, as it does not know what was used before.
 * @param ask sends the request with a proof that has the nonce
 */
async function withNonce(ask) {
  const answer = await ask(undefined);
  return answer.challenge.includes('error="use_dpop_nonce"') ? ask(answer.nonce) : answer;
}

const SERVED_MS = 20_000;

/**
 * Waits until tokens of the self-signed profile pass, which have no nonce: a gateway refuses what could have
 * been made before it started, by a clock that is ahead of its own. Asks for a secret that is not listed, so
 * that no backend hears of it.
 */
export async function untilServed(info) {
  const route = info.routes.find(({ profile, secret }) => profile === 'selfSigned' && secret !== undefined);
  const path = `${route.path}/other`;
  const until = performance.now() + SERVED_MS;
  for (;;) {
    const headers = await selfSignedHeaders(route, 'GET', info.publicOrigin + path);
    const { status, text } = await send(info.gateway, 'GET', path, headers);
    if (status === 404) return;
    if (performance.now() > until) throw new Error(`not served after ${SERVED_MS} ms: ${status} ${text}`);
    await sleep(100);
  }
}

/** The official client, all the way: initialize, list, call, a call that streams. */
async function officialClient(url, fetchLike) {
  const client = new Client({ name: 'demo-client', version: '1.0.0' });
  const transport = new StreamableHTTPClientTransport(new URL(url), { fetch: fetchLike });
  await client.connect(transport);
  const { tools } = await client.listTools();
  const echo = await client.callTool({ name: 'echo', arguments: { text: 'bound' } });
  const heard = [];
  const counted = await client.callTool(
    { name: 'count', arguments: { to: 3 } },
    { onprogress: ({ progress }) => heard.push(progress) },
  );
  await transport.terminateSession();
  await client.close();
  return {
    got: `${tools
      .map(({ name }) => name)
      .sort()
      .join(',')}; ${echo.content[0].text}; ${counted.content[0].text}`,
    detail: `progress heard: ${heard.join(' ')}`,
  };
}

/** Every case, for the stack that `info` describes (the line that --hold --json prints). */
export async function createCases(info) {
  const route = (profile, secret) =>
    info.routes.find((r) => r.profile === profile && (r.secret !== undefined) === secret);
  const mcp = route('dpop', false);
  const secrets = route('dpop', true);
  const selfMcp = route('selfSigned', false);
  const selfSecrets = route('selfSigned', true);
  const url = (path) => info.publicOrigin + path;
  const post = (path, headers) => send(info.gateway, 'POST', path, headers);
  const get = (path, headers) => send(info.gateway, 'GET', path, headers);

  const session = await DpopSession.create();
  const client = await createClient();
  const thief = await createClient();
  const token = await accessToken(mcp, client.thumbprint);
  const secretPath = `${secrets.path}/${secrets.secret}`;
  const selfSecretPath = `${selfSecrets.path}/${selfSecrets.secret}`;
  const selfFetch = async (target, init = {}) =>
    fetch(target, {
      ...init,
      headers: {
        ...Object.fromEntries(new Headers(init.headers)),
        ...(await selfSignedHeaders(selfMcp, init.method ?? 'GET', String(target))),
      },
    });

  const upstreamLines = () => readFileSync(info.upstreamLog, 'utf8').split('\n').length;
  /** Nothing may reach a backend. */
  const refused = (what, want, ask) => ({
    what,
    want: `${want}, nothing upstream`,
    async run() {
      const before = upstreamLines();
      const answer = await ask();
      const after = upstreamLines();
      return {
        got: `${outline(answer)}, ${after === before ? 'nothing' : `${after - before} request(s)`} upstream`,
        detail: answer.challenge,
      };
    },
  });
  const passes = (what, want, run) => ({ what, want, run });
  const secretRead = (path, headers) => async () => {
    const { status, text } = await withNonce(async (nonce) => get(path, await headers(nonce)));
    return {
      got: `${status} ${status === 200 ? Buffer.from(JSON.parse(text).data.password, 'base64') : ''}`,
      detail: path,
    };
  };
  const replay = (what, want, headers, path, method = 'POST') => ({
    what,
    want: `200, then ${want}`,
    async run() {
      let same;
      const first = await withNonce(async (nonce) => {
        same = await headers(nonce);
        return send(info.gateway, method, path, same);
      });
      const second = await send(info.gateway, method, path, same);
      return { got: `${first.status}, then ${outline(second)}`, detail: second.challenge };
    },
  });
  const PROOF = '401 DPoP invalid_dpop_proof';
  const TOKEN = '401 DPoP invalid_token';
  const SELF = '401 Bearer invalid_token';

  return [
    passes(
      'dpop: official MCP client, every request with a proof of its own',
      'count,echo; bound; counted to 3',
      async () =>
        officialClient(
          url(mcp.path),
          withDpop(session, async () => accessToken(mcp, session.thumbprint))(fetch),
        ),
    ),
    passes(
      'dpop: the named secret',
      '200 correct horse',
      secretRead(secretPath, (nonce) => dpopHeaders(client, 'GET', url(secretPath), token, nonce)),
    ),
    refused('dpop: no token', '401 DPoP', () => post(mcp.path, {})),
    refused('dpop: token without a proof', PROOF, () => post(mcp.path, { authorization: `DPoP ${token}` })),
    refused('dpop: stolen token as Bearer', TOKEN, () =>
      post(mcp.path, { authorization: `Bearer ${token}` }),
    ),
    refused("dpop: stolen token, proof by the thief's own key", TOKEN, async () =>
      post(mcp.path, await dpopHeaders(thief, 'POST', url(mcp.path), token)),
    ),
    refused('dpop: token signed by a foreign key', TOKEN, async () => {
      const forged = await accessToken({ ...mcp, key: selfMcp.key }, client.thumbprint);
      return post(mcp.path, await dpopHeaders(client, 'POST', url(mcp.path), forged));
    }),
    refused('dpop: proof for another method', PROOF, async () =>
      post(mcp.path, await dpopHeaders(client, 'GET', url(mcp.path), token)),
    ),
    refused('dpop: proof for another URI', PROOF, async () =>
      post(mcp.path, await dpopHeaders(client, 'POST', 'https://elsewhere.example/mcp', token)),
    ),
    refused('dpop: proof from ten minutes ago', PROOF, async () =>
      post(mcp.path, await dpopHeadersAt(client, 'POST', url(mcp.path), token, now() - 600)),
    ),
    refused('dpop: expired token', TOKEN, async () => {
      const old = await accessToken(mcp, client.thumbprint, { iat: now() - 900, exp: now() - 600 });
      return post(mcp.path, await dpopHeaders(client, 'POST', url(mcp.path), old));
    }),
    replay(
      'dpop: the same proof twice',
      PROOF,
      (nonce) => dpopHeaders(client, 'POST', url(mcp.path), token, nonce),
      mcp.path,
    ),
    refused('dpop: a secret that is not listed', '404', () => {
      const path = `${secrets.path}/other`;
      return withNonce(async (nonce) => get(path, await dpopHeaders(client, 'GET', url(path), token, nonce)));
    }),
    refused('dpop: ..%2f out of the route', '400', async () =>
      get(
        `${secrets.path}/..%2f..%2fpods`,
        await dpopHeaders(client, 'GET', url(`${secrets.path}/..%2f..%2fpods`), token),
      ),
    ),

    passes(
      'self-signed: official MCP client, every request with a token of its own',
      'count,echo; bound; counted to 3',
      async () => {
        await untilServed(info);
        return officialClient(url(selfMcp.path), selfFetch);
      },
    ),
    passes(
      'self-signed: the named secret',
      '200 correct horse',
      secretRead(selfSecretPath, () => selfSignedHeaders(selfSecrets, 'GET', url(selfSecretPath))),
    ),
    refused('self-signed: no token', '401 Bearer', () => post(selfMcp.path, {})),
    refused('self-signed: token for another method', SELF, async () =>
      post(selfMcp.path, await selfSignedHeaders(selfMcp, 'GET', url(selfMcp.path))),
    ),
    refused('self-signed: token for another URI', SELF, async () =>
      post(selfMcp.path, await selfSignedHeaders(selfMcp, 'POST', url(selfSecretPath))),
    ),
    refused('self-signed: expired token', SELF, async () =>
      post(
        selfMcp.path,
        await selfSignedHeaders(selfMcp, 'POST', url(selfMcp.path), { iat: now() - 900, exp: now() - 600 }),
      ),
    ),
    refused('self-signed: token signed by a foreign key', SELF, async () =>
      post(selfMcp.path, await selfSignedHeaders({ ...selfMcp, key: mcp.key }, 'POST', url(selfMcp.path))),
    ),
    replay(
      'self-signed: the same token twice',
      SELF,
      () => selfSignedHeaders(selfMcp, 'POST', url(selfMcp.path)),
      selfMcp.path,
    ),
    refused('self-signed: a secret that is not listed', '404', async () =>
      get(
        `${selfSecrets.path}/other`,
        await selfSignedHeaders(selfSecrets, 'GET', url(`${selfSecrets.path}/other`)),
      ),
    ),
    refused('self-signed: ..%2f out of the route', '400', async () => {
      const path = `${selfSecrets.path}/..%2f..%2fpods`;
      return get(path, await selfSignedHeaders(selfSecrets, 'GET', url(path)));
    }),
  ];
}
