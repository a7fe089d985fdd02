/**
 * The HTTPRoute that synth emits, carried out by a real nginx as the Gateway API says, in front of the shipped
 * gateway with the config that synth emits: clients outside get through, to what is exposed and no further.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConfigInput } from '../../proxy/src/config/index.js';
import { freePort } from '../../proxy/test/support/free-port.js';
import type { Answer } from '../../proxy/test/support/gateway.js';
import { accessToken, ec, jwkOf, proof, rsa, thumbprint } from '../../proxy/test/support/mint.js';
import { Daemon, needs, programOf } from './support/daemon.js';
import { startGatewayProcess, type GatewayProcess } from './support/gateway-process.js';
import { synthesized } from './support/synthesized.js';

interface Match {
  readonly path: { readonly type: 'PathPrefix' | 'Exact'; readonly value: string };
}
interface RouteSpec {
  readonly hostnames: readonly string[];
  readonly rules: readonly {
    readonly matches: readonly Match[];
    readonly filters?: readonly {
      readonly urlRewrite: { readonly path: { readonly replacePrefixMatch: string } };
    }[];
  }[];
}
interface Manifest {
  readonly kind: string;
  readonly data?: Readonly<Record<string, string>>;
  readonly spec: RouteSpec;
}

const HOST = 'gateway.example.com';
const ORIGIN = `https://${HOST}`;

/**
 * https://gateway-api.sigs.k8s.io/reference/spec/#httppathmatch: a prefix is one of whole segments, and is
 * replaced as one.
 */
const locations = ({ rules }: RouteSpec, port: number) =>
  rules
    .flatMap(({ matches, filters }) =>
      matches.map(({ path: { type, value } }) => {
        const to = filters?.[0]?.urlRewrite.path.replacePrefixMatch;
        const path = value.replaceAll('.', '\\.');
        return `location ${type === 'Exact' ? `= ${value}` : `~ ^${path}(/|$)`} {
      ${to === undefined ? '' : `rewrite ^${path}(.*)$ ${to}$1 break;`}
      proxy_pass http://127.0.0.1:${port}; proxy_http_version 1.1; proxy_buffering off;
      proxy_set_header Connection ""; proxy_set_header Host $host;
    }`;
      }),
    )
    .join('\n    ');

const nginx = programOf('nginx');
needs('a gateway that is exposed', nginx === undefined ? ['nginx'] : []);
(nginx === undefined ? describe.skip : describe)('a gateway that is exposed', () => {
  const dir = mkdtempSync(join(tmpdir(), 'agw-exposure-'));
  const file = (name: string) => join(dir, name);
  const as = rsa();
  const client = ec();
  const reached: string[] = [];
  const backend = http.createServer((message, response) => {
    reached.push(message.url!);
    message.resume().on('end', () => response.end('{}'));
  });
  let gateway: GatewayProcess;
  let daemon: Daemon;
  let front: number;
  let ca: string;

  const ask = (
    path: string,
    {
      method = 'GET',
      headers = {},
      host = HOST,
    }: {
      readonly method?: string;
      readonly headers?: Readonly<Record<string, string>>;
      readonly host?: string;
    } = {},
  ): Promise<Answer> =>
    new Promise((resolve, reject) => {
      https
        .request(
          {
            host: '127.0.0.1',
            port: front,
            servername: HOST,
            ca,
            path,
            method,
            headers: { ...headers, host },
            agent: false,
          },
          (answer) => {
            let text = '';
            answer
              .on('data', (chunk: Buffer) => {
                text += chunk.toString();
              })
              .once('error', reject)
              .once('end', () => resolve({ status: answer.statusCode!, headers: answer.headers, text }));
          },
        )
        .once('error', reject)
        .end(method === 'POST' ? '{}' : undefined);
    });
  const signed = (path: string, method = 'POST', audience = 'gateway') => {
    const token = accessToken(as, { cnf: { jkt: thumbprint(client) }, aud: audience }, { kid: 'as-1' });
    return { authorization: `DPoP ${token}`, dpop: proof(client, method, ORIGIN + path, token) };
  };

  beforeAll(async () => {
    writeFileSync(
      file('as.json'),
      JSON.stringify({ keys: [{ ...jwkOf(as), kid: 'as-1', alg: 'RS256', use: 'sig' }] }),
    );
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-days',
        '1',
        '-subj',
        '/CN=front',
        '-addext',
        `subjectAltName=DNS:${HOST}`,
        '-keyout',
        file('key'),
        '-out',
        file('crt'),
      ],
      { stdio: 'pipe' },
    );
    ca = readFileSync(file('crt'), 'utf8');
    await new Promise<void>((resolve) => backend.listen(0, '127.0.0.1', resolve));
    const manifests = synthesized<Manifest>(
      'test/support/exposure-app.ts',
      file('manifests'),
      file('as.json'),
    );
    const config = JSON.parse(
      manifests.find(({ kind, data }) => kind === 'ConfigMap' && data?.['config.json']?.includes(ORIGIN))!
        .data!['config.json']!,
    ) as ConfigInput;
    // Only addresses, and where files lie, are changed.
    for (const issuer of config.issuers) issuer.jwks = { file: file('as.json') };
    for (const route of config.routes) {
      if (route.kind === 'mcp')
        route.backend = { url: `http://127.0.0.1:${(backend.address() as AddressInfo).port}` };
      else Object.assign(route.backend, { caFile: file('crt'), tokenFile: file('as.json') });
    }
    gateway = await startGatewayProcess(
      { ...config, audit: { file: file('audit.jsonl') }, drainSeconds: 1 },
      { dir, name: 'gateway' },
    );
    front = await freePort();
    const { spec } = manifests.find(({ kind }) => kind === 'HTTPRoute')!;
    writeFileSync(
      file('nginx.conf'),
      `
daemon off; master_process off; pid ${file('nginx.pid')}; error_log stderr;
events {}
http {
  access_log off; merge_slashes off;
  client_body_temp_path ${file('body')}; proxy_temp_path ${file('proxy')};
  fastcgi_temp_path ${file('fastcgi')}; uwsgi_temp_path ${file('uwsgi')}; scgi_temp_path ${file('scgi')};
  ssl_certificate ${file('crt')}; ssl_certificate_key ${file('key')};
  server { listen 127.0.0.1:${front} ssl default_server; return 404; }
  server {
    listen 127.0.0.1:${front} ssl; server_name ${spec.hostnames.join(' ')};
    location / { return 404 "no rule"; }
    ${locations(spec, gateway.port)}
  }
}
`,
    );
    daemon = new Daemon(nginx!, ['-p', dir, '-c', file('nginx.conf')]);
    for (let i = 0; i < 100 && (await ask('/').catch(() => undefined))?.status !== 404; i++) await sleep(50);
  }, 30_000);
  afterAll(async () => {
    await daemon?.stop();
    await gateway?.stop();
    backend.closeAllConnections();
    backend.close();
    rmSync(dir, { recursive: true, force: true });
  });

  it('is reached by the URL that clients sign, once', async () => {
    const headers = signed('/ai/mcp');
    expect([
      (await ask('/ai/mcp', { method: 'POST', headers })).status,
      (await ask('/ai/mcp', { method: 'POST', headers })).status,
    ]).toEqual([200, 401]);
    expect((await ask('/ai/mcp/more', { method: 'POST', headers: signed('/ai/mcp/more') })).status).toBe(200);
    expect(reached).toEqual(['/mcp', '/mcp/more']);
  });
  it('is discovered: the challenge points to metadata that is there, of the resource that was asked for', async () => {
    const refused = await ask('/ai/mcp', { method: 'POST' });
    const [, url] = /resource_metadata="([^"]+)"/.exec(refused.headers['www-authenticate']!)!;
    expect(url).toMatch(/^https:\/\/gateway\.example\.com\//);
    const metadata = await ask(url!.slice(ORIGIN.length));
    expect([metadata.status, (JSON.parse(metadata.text) as { resource: string }).resource]).toEqual([
      200,
      `${ORIGIN}/ai/mcp`,
    ]);
    // And a token for that very resource is good.
    expect(
      (await ask('/ai/mcp', { method: 'POST', headers: signed('/ai/mcp', 'POST', `${ORIGIN}/ai/mcp`) }))
        .status,
    ).toBe(200);
  });
  it('has its other route there too, and nothing else', async () => {
    const tools = await ask('/ai/tools', { method: 'POST' });
    expect([tools.status, tools.text]).toEqual([401, expect.stringContaining('credentials_missing')]);
    reached.length = 0;
    for (const path of [
      '/',
      '/healthz',
      '/ai/healthz',
      '/readyz',
      '/metrics',
      '/mcp',
      '/ai',
      '/ai/mcpx',
      '/ai/secrets/database-credentials',
      '/secrets/database-credentials',
      '/.well-known/oauth-protected-resource/ai/secrets',
      '/.well-known/oauth-protected-resource',
    ]) {
      expect([path, (await ask(path, { headers: signed(path, 'GET') })).text]).toEqual([path, 'no rule']);
    }
    expect(
      (await ask('/ai/mcp', { method: 'POST', headers: signed('/ai/mcp'), host: 'agentgateway.aiops.svc' }))
        .status,
    ).toBe(404);
    expect(reached).toEqual([]);
  });
});
