/**
 * What stands in front of a gateway in most places: a proxy that ends TLS, cuts a path off and says who the
 * client is. Real haproxy and nginx.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import https from 'node:https';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import {
  freePort,
  startFixture,
  type Answer,
  type GatewayFixture,
} from '../../proxy/test/support/gateway.js';
import { accessToken, ec, proof, thumbprint } from '../../proxy/test/support/mint.js';
import { Daemon, needs, programOf } from './support/daemon.js';

const PREFIX = '/ai';
/** Another address of the loopback than the proxy's own. */
const CLIENT_ADDRESS = '127.0.0.2';

interface Front {
  readonly program: string;
  /** Its config for a gateway on `port`, listening on `front`; `pem` has certificate and key. */
  readonly config: (at: { port: number; front: number; pem: string; dir: string }) => string;
  readonly args: (file: string, dir: string) => string[];
}
const FRONTS: Record<string, Front> = {
  haproxy: {
    program: 'haproxy',
    config: ({ port, front, pem }) => `
defaults
  mode http
  timeout connect 2s
  timeout client 30s
  timeout server 30s
frontend clients
  bind 127.0.0.1:${front} ssl crt ${pem}
  option forwardfor
  http-request replace-path ${PREFIX}/(.*) /\\1
  default_backend gateway
backend gateway
  server g 127.0.0.1:${port}
`,
    args: (file) => ['-f', file, '-db'],
  },
  nginx: {
    program: 'nginx',
    config: ({ port, front, pem, dir }) => `
daemon off;
master_process off;
pid ${dir}/nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path ${dir}/body; proxy_temp_path ${dir}/proxy; fastcgi_temp_path ${dir}/fastcgi; uwsgi_temp_path ${dir}/uwsgi; scgi_temp_path ${dir}/scgi;
  server {
    listen 127.0.0.1:${front} ssl;
    ssl_certificate ${pem};
    ssl_certificate_key ${pem};
    location ${PREFIX}/ {
      proxy_pass http://127.0.0.1:${port}/;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_buffering off;
    }
  }
}
`,
    args: (file, dir) => ['-p', dir, '-c', file],
  },
};

describe.each(Object.entries(FRONTS))('behind %s', (name, { program, config, args }) => {
  const path = programOf(program);
  needs(`behind ${name}`, path === undefined ? [program] : []);
  if (path === undefined) return;

  let fixture: GatewayFixture;
  let daemon: Daemon;
  let front: number;
  let origin: string;
  let ca: string;
  const client = ec();

  beforeAll(async () => {
    front = await freePort();
    origin = `https://127.0.0.1:${front}`;
    fixture = await startFixture({
      change: (input) => {
        input.publicOrigins = [origin];
        input.publicPathPrefix = PREFIX;
        input.trustedPeers = ['127.0.0.1/32'];
        input.routes = [
          {
            ...input.routes[0]!,
            auth: { profile: 'dpop', issuers: ['as'] },
          },
        ];
      },
    });
    const dir = join(fixture.dir, name);
    mkdirSync(dir);
    const file = (n: string) => join(dir, n);
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
        'subjectAltName=IP:127.0.0.1',
        '-keyout',
        file('key'),
        '-out',
        file('crt'),
      ],
      { stdio: 'pipe' },
    );
    ca = readFileSync(file('crt'), 'utf8');
    writeFileSync(file('pem'), ca + readFileSync(file('key'), 'utf8'));
    writeFileSync(file('config'), config({ port: fixture.gateway.port, front, pem: file('pem'), dir }));
    daemon = new Daemon(path, args(file('config'), dir));
    for (
      let i = 0;
      i < 100 &&
      (await ask({ path: `${PREFIX}/healthz`, method: 'GET' }).catch(() => undefined))?.status !== 200;
      i++
    )
      await sleep(50);
  }, 20_000);
  afterAll(async () => {
    await daemon.stop();
    await fixture.stop();
  });
  beforeEach(() => {
    fixture.seen.length = 0;
  });

  interface Ask {
    readonly path?: string;
    readonly method?: string;
    readonly headers?: Record<string, string>;
    readonly onData?: (text: string) => void;
  }
  const ask = ({
    path: target = `${PREFIX}/mcp`,
    method = 'POST',
    headers = {},
    onData,
  }: Ask): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const out = https.request(
        {
          host: '127.0.0.1',
          port: front,
          path: target,
          method,
          headers,
          ca,
          localAddress: CLIENT_ADDRESS,
          agent: false,
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
  const signed = (htu = `${origin}${PREFIX}/mcp`, method = 'POST') => {
    const token = accessToken(fixture.as, {
      cnf: { jkt: thumbprint(client) },
      aud: `${origin}${PREFIX}/mcp`,
    });
    return { authorization: `DPoP ${token}`, dpop: proof(client, method, htu, token) };
  };

  it('a proof for the URL that the client sees passes, once; one for the URL that the gateway sees does not', async () => {
    const headers = signed();
    expect((await ask({ headers })).status).toBe(200);
    expect((await ask({ headers })).status).toBe(401);
    expect((await ask({ headers: signed(`${origin}/mcp`) })).status).toBe(401);
    expect((await ask({ headers: signed(`http://127.0.0.1:${fixture.gateway.port}/mcp`) })).status).toBe(401);
    expect(fixture.seen.map(({ url }) => url)).toEqual(['/mcp']);
  });
  it('the audit names the client, not the proxy, and not who the client says it is', async () => {
    await ask({
      headers: {
        ...signed(),
        'x-forwarded-for': '203.0.113.9',
        forwarded: 'for=203.0.113.9',
        'x-real-ip': '203.0.113.9',
      },
    });
    expect((await fixture.audit()).at(-1)).toMatchObject({ 'client.address': CLIENT_ADDRESS, reason: 'ok' });
    expect(JSON.stringify(fixture.seen.at(-1)!.rawHeaders)).not.toContain('203.0.113.9');
  });
  it('the challenge points to metadata where the client can read it', async () => {
    const refused = await ask({});
    const [, url] = /resource_metadata="([^"]+)"/.exec(refused.headers['www-authenticate']!)!;
    expect(url).toBe(`${origin}/.well-known/oauth-protected-resource${PREFIX}/mcp`);
  });
  it('an event comes when it happens', async () => {
    const usual = fixture.answer;
    let finish = () => {};
    fixture.answer = (_, response) => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: first\n\n');
      finish = () => response.end('data: last\n\n');
    };
    try {
      const { text } = await ask({
        method: 'GET',
        headers: signed(undefined, 'GET'),
        onData: (so) => {
          if (so === 'data: first\n\n') finish();
        },
      });
      expect(text).toBe('data: first\n\ndata: last\n\n');
    } finally {
      fixture.answer = usual;
    }
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
    const smuggled = `GET ${PREFIX}/smuggled HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;
    await new Promise<void>((resolve) => {
      const socket = tls.connect(
        { host: '127.0.0.1', port: front, ca, localAddress: CLIENT_ADDRESS } as tls.ConnectionOptions,
        () =>
          socket.write(
            `POST ${PREFIX}/mcp HTTP/1.1\r\nHost: 127.0.0.1\r\n${headers}${lines}\r\n${body}${smuggled}`,
            'latin1',
          ),
      );
      socket
        .on('error', () => {})
        .on('close', () => resolve())
        .on('data', () => {});
      setTimeout(() => socket.destroy(), 300);
    });
    expect(fixture.seen.length).toBeLessThanOrEqual(1);
    expect(fixture.seen.some(({ url }) => url.includes('smuggled'))).toBe(false);
    expect((await ask({ headers: signed() })).status).toBe(200);
  });
});
