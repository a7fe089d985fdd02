/** The bin as users run it: the bundle, in a process of its own. */
import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createPrivateKey, createPublicKey } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  calculateJwkThumbprint,
  createLocalJWKSet,
  decodeProtectedHeader,
  EmbeddedJWK,
  jwtVerify,
  type JWK,
} from 'jose';
import { freePort, request } from '../support/gateway.js';

const root = join(import.meta.dirname, '..', '..', '..');
const agwFile = join(root, 'assets', 'agw.mjs');
const dir = mkdtempSync(join(tmpdir(), 'agw-cli-'));
const at = (name: string) => join(dir, name);
afterAll(() => rmSync(dir, { recursive: true, force: true }));

interface Run {
  code: number;
  out: string;
  err: string;
}
const agw = (...args: string[]) =>
  new Promise<Run>((resolve) => {
    execFile(process.execPath, [agwFile, ...args], (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code), out: out.trim(), err: err.trim() }),
    );
  });
const must = async (...args: string[]) => {
  const run = await agw(...args);
  expect(run).toMatchObject({ code: 0, err: '' });
  return run.out;
};
const jwks = () => JSON.parse(readFileSync(at('jwks.json'), 'utf8')) as { keys: JWK[] };

describe('agw', () => {
  it('generates a private key that only its owner may read, and its public half', async () => {
    await must('keys', 'generate', '--out', at('private.pem'), '--public', at('public.pem'));
    expect(statSync(at('private.pem')).mode & 0o777).toBe(0o600);
    const key = createPrivateKey(readFileSync(at('private.pem')));
    expect(key.asymmetricKeyDetails?.modulusLength).toBe(2048);
    expect(createPublicKey(readFileSync(at('public.pem'))).equals(createPublicKey(key))).toBe(true);
  });
  it('does not overwrite a key', async () => {
    const before = readFileSync(at('private.pem'), 'utf8');
    const { code, err } = await agw('keys', 'generate', '--out', at('private.pem'));
    expect([code, err.split('\n')[0]]).toEqual([
      2,
      `agw: --out: must not exist yet, got ${at('private.pem')}; name another file, or say --force`,
    ]);
    expect(readFileSync(at('private.pem'), 'utf8')).toBe(before);
  });
  it('writes no half of a pair, and never one half over the other', async () => {
    writeFileSync(at('taken.pem'), 'taken');
    expect((await agw('keys', 'generate', '--out', at('half.pem'), '--public', at('taken.pem'))).code).toBe(
      2,
    );
    expect(existsSync(at('half.pem'))).toBe(false);
    expect(
      (await agw('keys', 'generate', '--force', '--out', at('taken.pem'), '--public', at('taken.pem'))).err,
    ).toContain('--public: must be another file than --out');
    expect(readFileSync(at('taken.pem'), 'utf8')).toBe('taken');
  });
  it('gives a private key its mode and its place, whatever lies beside it', async () => {
    writeFileSync(at('stale.pem.new'), '', { mode: 0o644 });
    symlinkSync(at('elsewhere'), at('linked.pem.new'));
    for (const name of ['stale.pem', 'linked.pem']) {
      await must('keys', 'generate', '--out', at(name));
      expect([lstatSync(at(name)).isFile(), lstatSync(at(name)).mode & 0o777]).toEqual([true, 0o600]);
    }
    expect(existsSync(at('elsewhere'))).toBe(false);
  });
  it.each([
    [[]],
    [['serve']],
    [['check']],
    [['keys', 'generate']],
    [['jwks', 'create']],
    [['jwks', 'add']],
    [['jwks', 'retire']],
    [['token', 'mint']],
    [['proof', 'mint']],
  ])('helps with %j', async (args) => {
    expect(await must(...args, '--help')).toContain(`agw ${args.join(' ')}`.trim());
  });
  it('says what each command is for, in a line', async () => {
    const lines = (await must('--help')).split('\n').filter((line) => line.startsWith('  agw '));
    expect(lines).toContainEqual(expect.stringMatching(/^ {2}agw prune {2,}names the ConfigMaps/));
    for (const line of lines) expect(line).toMatch(/^ {2}agw (--version$|[a-z-]+( [a-z]+)? {2,}\S.{10,})/);
  });
  it('says its version', async () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    expect(await must('--version')).toBe(`agw ${version} (node ${process.version})`);
  });
  it('names every option of a command in its usage, so that one that is mistyped can be found', async () => {
    for (const [args, meant] of [
      [['keys', 'generate', '--publik', 'x'], '--public'],
      [['proof', 'mint', '--nonse', 'x'], '--nonce'],
      [['token', 'mint', '--client_id', 'x'], '--client-id'],
    ] as const) {
      const { code, err } = await agw(...args);
      expect([code, err.split('\n')[1]]).toEqual([2, `did you mean ${meant}?`]);
    }
    expect((await agw('keys', 'generate', '--xyzzy')).err).not.toContain('did you mean');
  });
  it.each([
    [['proof', 'mnit'], 'agw: unknown command "proof mnit"; did you mean "proof mint"?'],
    [['jwk', 'add'], 'agw: unknown command "jwk"; did you mean "jwks add"?'],
    [['chek', '--config', 'x'], 'agw: unknown command "chek"; did you mean "check"?'],
  ])('knows what was meant by %j', async (args, err) => {
    expect(await agw(...args)).toEqual({ code: 2, out: '', err });
  });
  it('writes a JWK Set without private members, also from a private key', async () => {
    await must('jwks', 'create', '--key', at('private.pem'), '--kid', 'my-key-1', '--out', at('jwks.json'));
    expect(Object.keys(jwks().keys[0]!).sort()).toEqual(['alg', 'e', 'kid', 'kty', 'n', 'use']);
  });
  it('rotates: adds the next key, retires the last, never the only one', async () => {
    await must('keys', 'generate', '--alg', 'ES256', '--out', at('next.pem'));
    expect((await agw('jwks', 'retire', '--jwks', at('jwks.json'), '--kid', 'my-key-1')).err).toContain(
      'must not be the only key of the set',
    );
    expect(
      (await agw('jwks', 'add', '--jwks', at('jwks.json'), '--key', at('next.pem'), '--kid', 'my-key-1')).err,
    ).toContain('must be new to the set');
    await must('jwks', 'add', '--jwks', at('jwks.json'), '--key', at('next.pem'), '--kid', 'my-key-2');
    expect(jwks().keys.map((k) => [k.kid, k.alg])).toEqual([
      ['my-key-1', 'RS256'],
      ['my-key-2', 'ES256'],
    ]);
    await must('jwks', 'retire', '--jwks', at('jwks.json'), '--kid', 'my-key-2');
    expect(jwks().keys.map((k) => k.kid)).toEqual(['my-key-1']);
  });
  it('mints a self-signed token that another library verifies', async () => {
    const token = await must(
      'token',
      'mint',
      '--key',
      at('private.pem'),
      '--kid',
      'my-key-1',
      '--iss',
      'my-app-aiops',
      '--aud',
      'mcp-gateway',
      '--htm',
      'post',
      '--htu',
      'http://gw:8080/mcp',
    );
    const { payload } = await jwtVerify(token, createLocalJWKSet(jwks()), {
      issuer: 'my-app-aiops',
      audience: 'mcp-gateway',
      algorithms: ['RS256'],
    });
    expect(payload).toMatchObject({
      htm: 'POST',
      htu: 'http://gw:8080/mcp',
      jti: expect.any(String) as string,
    });
    expect(payload.exp! - payload.iat!).toBe(300);
  });
  it('mints a bound access token and the proof that goes with it', async () => {
    await must('keys', 'generate', '--alg', 'ES256', '--out', at('client.pem'));
    const token = await must(
      'token',
      'mint',
      '--profile',
      'dpop',
      '--key',
      at('private.pem'),
      '--kid',
      'my-key-1',
      '--iss',
      'i',
      '--aud',
      'a',
      '--sub',
      's',
      '--client-id',
      'c',
      '--dpop-key',
      at('client.pem'),
    );
    const proof = await must(
      'proof',
      'mint',
      '--key',
      at('client.pem'),
      '--htm',
      'GET',
      '--htu',
      'http://gw/x',
      '--token',
      token,
    );
    const { payload } = await jwtVerify(proof, EmbeddedJWK, { typ: 'dpop+jwt' });
    const { payload: bound, protectedHeader } = await jwtVerify(token, createLocalJWKSet(jwks()));
    expect(protectedHeader.typ).toBe('at+jwt');
    expect((bound.cnf as { jkt: string }).jkt).toBe(
      await calculateJwkThumbprint(decodeProtectedHeader(proof).jwk!),
    );
    expect(payload.ath).toBe(
      execFileSync('openssl', ['dgst', '-sha256', '-binary'], { input: token }).toString('base64url'),
    );
  });
  it('reads keys that are encrypted, as openssl writes them, with the passphrase of a file', async () => {
    writeFileSync(at('passphrase'), 'open sesame\n');
    const options = ['-aes-256-cbc', '-passout', 'pass:open sesame', '-out', at('encrypted.pem')];
    execFileSync('openssl', [
      'pkcs8',
      '-topk8',
      '-v2',
      'aes-256-cbc',
      '-in',
      at('private.pem'),
      ...options.slice(1),
    ]);
    expect(readFileSync(at('encrypted.pem'), 'utf8')).toMatch(/^-----BEGIN ENCRYPTED PRIVATE KEY-----/);
    execFileSync('openssl', ['ec', '-in', at('client.pem'), ...options.slice(0, 3), '-out', at('old.pem')], {
      stdio: 'pipe',
    });
    expect(readFileSync(at('old.pem'), 'utf8')).toContain('Proc-Type: 4,ENCRYPTED');
    const passphrase = ['--key-passphrase-file', at('passphrase')];
    const tokenOf = [
      ...[
        'token',
        'mint',
        '--profile',
        'dpop',
        '--key',
        at('encrypted.pem'),
        '--kid',
        'my-key-1',
        '--iss',
        'i',
      ],
      ...['--aud', 'a', '--sub', 's', '--client-id', 'c', '--dpop-key', at('old.pem'), ...passphrase],
    ];
    const { payload } = await jwtVerify(await must(...tokenOf), createLocalJWKSet(jwks()));
    const proofOf = [
      'proof',
      'mint',
      '--key',
      at('old.pem'),
      '--htm',
      'GET',
      '--htu',
      'http://gw/x',
      ...passphrase,
    ];
    const proof = await must(...proofOf);
    await jwtVerify(proof, EmbeddedJWK, { typ: 'dpop+jwt' });
    expect((payload.cnf as { jkt: string }).jkt).toBe(
      await calculateJwkThumbprint(decodeProtectedHeader(proof).jwk!),
    );
    const set = ['jwks', 'create', '--key', at('encrypted.pem'), '--kid', 'e', '--out', at('e.json')];
    expect(await must(...set, ...passphrase)).toBe(`${at('e.json')}: 1 key, e`);
    expect(readFileSync(at('e.json'), 'utf8')).not.toContain('"d"');
  });
  it.each([
    ['open sesame\r', 0],
    // Erased and typed anew: a character of one byte, and one of two.
    ['openX\x7fé\x7f sesame\r', 0],
    ['wrong\r', 2],
    // ^C, ^D: nobody wants to say it.
    ['open\x03', 2],
    ['\x04', 2],
  ])(
    'asks at a terminal for the passphrase of an encrypted key, and does not show it: %j',
    async (typed, code) => {
      const words = ['proof', 'mint', '--htm', 'GET', '--htu', 'http://gw/x', '--key', at('encrypted.pem')];
      const command =
        `'${process.execPath}' '${agwFile}' ${words.join(' ')}; echo "code $? $(stty -a | grep -o -- ` +
        `'-\\?echo\\b')"`;
      // util-linux: runs it with a terminal of its own.
      const terminal = spawn('script', ['-qec', command, '/dev/null'], {
        stdio: ['pipe', 'pipe', 'inherit'],
      });
      let wrote = '';
      terminal.stdout.on('data', (chunk: Buffer) => {
        const asked = wrote.includes('Passphrase of ');
        wrote += chunk.toString();
        if (!asked && wrote.includes('Passphrase of ')) terminal.stdin.write(typed);
      });
      await once(terminal, 'close');
      expect(wrote).toContain(`Passphrase of ${at('encrypted.pem')}: `);
      expect(wrote).toMatch(code === 0 ? /^eyJ[\w-]+\.[\w-]+\.[\w-]+\r$/m : /^agw: --key/m);
      // The terminal is as it was before.
      expect(wrote).toContain(`code ${code} echo`);
      expect(wrote).not.toMatch(/sesame|wrong/);
    },
  );
  it('says of an encrypted key what is missing, or wrong', async () => {
    const first = async (...args: string[]) => {
      const { code, err } = await agw('proof', 'mint', '--htm', 'GET', '--htu', 'http://gw/x', ...args);
      expect(code).toBe(2);
      return err.split('\n')[0];
    };
    const key = ['--key', at('encrypted.pem')];
    expect(await first(...key)).toBe(
      `agw: --key: needs --key-passphrase-file, got ${at('encrypted.pem')}, which is encrypted; a pipe will ` +
        'do: <(pass show key)',
    );
    writeFileSync(at('wrong'), 'open says me');
    expect(await first(...key, '--key-passphrase-file', at('wrong'))).toBe(
      `agw: --key-passphrase-file: must have the passphrase of ${at('encrypted.pem')}`,
    );
    expect(await first(...key, '--key-passphrase-file', '/none')).toContain(
      '--key-passphrase-file: must be a readable file',
    );
  });
  it.each([
    [['token', 'mint'], '--key: is required'],
    [
      ['token', 'mint', '--key', '/no/such/file'],
      '--key: must be a readable file, got /no/such/file (ENOENT)',
    ],
    [['keys', 'generate', '--out', '/tmp/x', '--bits', '1024'], '--bits: must be 2048 to 4096, got 1024'],
    [['keys', 'generate', '--wat'], "Unknown option '--wat'"],
    [['nothing'], 'agw: unknown command "nothing"\nusage:'],
    [[], 'usage:'],
    [['keys'], 'agw: unknown command "keys"\nusage:'],
    [['serve'], 'usage: agw serve --config FILE, agw check --config FILE'],
    [['serve', '--config', 'x', '--elsewhere'], 'usage: agw serve --config FILE'],
  ])('says what is wrong with %j', async (args, message) => {
    const { code, err } = await agw(...args);
    expect(code).toBe(2);
    expect(err).toContain(message);
  });
});

describe('agw check', () => {
  const config = (routes: object[]) => ({
    version: 1,
    publicOrigins: ['http://gw:8080'],
    replay: { store: 'memory' },
    routes,
    issuers: [{ name: 'self', issuer: 'my-app-aiops', jwks: { file: at('jwks.json') } }],
  });
  const route = {
    kind: 'mcp',
    name: 'mcp',
    pathPrefix: '/mcp',
    auth: { profile: 'selfSigned', issuers: ['self'], audiences: ['mcp-gateway'] },
    backend: { url: 'http://127.0.0.1:1' },
  };

  it('accepts a sound config', async () => {
    writeFileSync(at('config.json'), JSON.stringify(config([route])));
    expect(await must('check', '--config', at('config.json'), '--elsewhere')).toBe(
      `${at('config.json')}: ok, 1 route(s)`,
    );
  });
  it('names every fault of a bad one, and serve refuses it with the same words', async () => {
    writeFileSync(
      at('bad.json'),
      JSON.stringify({
        ...config([{ ...route, pathPrefix: 'mcp', auth: { ...route.auth, mode: 'Strict' } }]),
        replicaz: 2,
      }),
    );
    const { code, err } = await agw('check', '--config', at('bad.json'));
    expect(code).toBe(1);
    expect(
      err
        .split('\n')
        .slice(1)
        .map((line) => line.trim()),
    ).toEqual([
      'routes[0].pathPrefix: must start with "/", got "mcp"; did you mean "/mcp"?',
      'routes[0].auth.mode: must be one of "strict", "optional", "permissive", got "Strict"; did you mean "strict"?',
      'replicaz: is not a known key; did you mean "replicas"?',
    ]);
    expect(await agw('serve', '--config', at('bad.json'))).toMatchObject({ code: 1, err });
  });
  it('names faults of every kind in one run: of fields, between fields, of files', async () => {
    writeFileSync(at('roots.pem'), '-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n');
    const sound = {
      ...route,
      name: 'sound',
      pathPrefix: '/sound',
      auth: { ...route.auth, issuers: ['unknown'] },
      backend: {
        url: 'https://mcp.example',
        caFile: at('roots.pem'),
        credential: { kind: 'file', file: '/no/such/credential' },
      },
    };
    writeFileSync(
      at('bad.json'),
      JSON.stringify({
        ...config([{ ...route, pathPrefix: 'mcp' }, sound, { ...sound }]),
        replicas: 3,
        workers: 0,
      }),
    );
    const { code, err } = await agw('check', '--config', at('bad.json'));
    expect(code).toBe(1);
    expect(
      err
        .split('\n')
        .slice(1)
        .map((line) => line.trim().replace(/(:.*?) *[,;:(].*/, '$1')),
    ).toEqual([
      'workers: must be a whole number of threads from 1 to 64',
      'routes[0].pathPrefix: must start with "/"',
      'replay.store: must be shared by all 3 replicas',
      'routes[2].name: must be unique',
      'routes[2].pathPrefix: must differ from that of routes[1]',
      'routes[1].auth.issuers[0]: must name an entry of issuers',
      'routes[2].auth.issuers[0]: must name an entry of issuers',
      `routes[1].backend.caFile: ${at('roots.pem')}`,
      'routes[1].backend.credential.file: must be a readable file',
      `routes[2].backend.caFile: ${at('roots.pem')}`,
      'routes[2].backend.credential.file: must be a readable file',
    ]);
  });
  it('opens the files that a config names', async () => {
    writeFileSync(
      at('jwks-private.json'),
      JSON.stringify({ keys: [createPrivateKey(readFileSync(at('private.pem'))).export({ format: 'jwk' })] }),
    );
    const bad = config([
      { ...route, backend: { ...route.backend, credential: { kind: 'file', file: '/no/such/credential' } } },
    ]);
    bad.issuers[0]!.jwks.file = at('jwks-private.json');
    writeFileSync(at('bad.json'), JSON.stringify(bad));
    const { err } = await agw('check', '--config', at('bad.json'));
    expect(err).toContain('issuers[0].jwks.file');
    expect(err).toContain('must be public, got member d');
    expect(err).toContain(
      'routes[0].backend.credential.file: must be a readable file, got "/no/such/credential" (ENOENT)',
    );
  });
  describe('tries what serve needs of this machine', () => {
    const here = async (change: object) => {
      const [port, adminPort] = [await freePort(), await freePort()];
      const host = '127.0.0.1';
      const ports = { listen: { host, port }, admin: { host, port: adminPort } };
      writeFileSync(at('here.json'), JSON.stringify({ ...config([route]), ...ports, ...change }));
      return at('here.json');
    };
    const check = async (change: object, ...args: string[]) =>
      agw('check', '--config', await here(change), ...args);
    /** As serve would end, too, where the config is good. */
    const problemsOf = async (change: object) => {
      const { code, out, err } = await check(change);
      expect([code, out]).toEqual([1, '']);
      expect((await agw('serve', '--config', at('here.json'))).code).toBe(1);
      return err.split('\n').slice(1);
    };

    it('says nothing where it has all, and leaves nothing behind', async () => {
      const audit = { file: at('audit.jsonl') };
      expect(await check({ audit })).toEqual({ code: 0, out: `${at('here.json')}: ok, 1 route(s)`, err: '' });
      expect(existsSync(audit.file)).toBe(false);
    });
    it('finds ports that another process has', async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as { port: number };
      try {
        const listen = { host: '127.0.0.1', port };
        expect(await problemsOf({ listen })).toEqual([
          `  listen.port: must be free to listen on, got ${port} (EADDRINUSE); another process listens ` +
            'there: end it, or name another port',
        ]);
        expect((await check({ listen }, '--elsewhere')).code).toBe(0);
      } finally {
        await new Promise((resolve) => server.close(resolve));
      }
    });
    it('finds an address that this machine does not have', async () => {
      const admin = { host: '192.0.2.10', port: await freePort() };
      expect(await problemsOf({ admin })).toEqual([
        expect.stringMatching(
          /^ {2}admin\.host: must be free to listen on, got "192\.0\.2\.10" \(EADDRNOTAVAIL\); /,
        ),
      ]);
    });
    it('finds an audit log that cannot be written', async () => {
      expect(await problemsOf({ audit: { file: at('none/audit.jsonl') } })).toEqual([
        `  audit.file: must be in a directory that can be written, got "${at('none')}" (ENOENT); mount a ` +
          'volume there that this user owns',
      ]);
      // A user for whom modes do not count may write to any file, but not to a directory.
      expect(await problemsOf({ audit: { file: dir } })).toEqual([
        `  audit.file: must be a file that can be written, got "${dir}" (EISDIR); mount a volume there that ` +
          'this user owns',
      ]);
    });
    it('does not wait for the reader of a pipe, nor end what it reads', async () => {
      const pipe = at('audit.pipe');
      execFileSync('mkfifo', [pipe]);
      const file = await here({ audit: { file: pipe } });
      const { status } = spawnSync(process.execPath, [agwFile, 'check', '--config', file], {
        timeout: 10_000,
      });
      expect(status).toBe(0);
    });
    it('says how many connections its descriptors are enough for, as serve does', async () => {
      const file = await here({});
      const limited = ['-c', 'ulimit -n 256; exec "$@"', 'sh', process.execPath, agwFile];
      const { status, stdout } = spawnSync('sh', [...limited, 'check', '--config', file], {
        encoding: 'utf8',
      });
      expect([status, stdout.split('\n')[1]]).toEqual([
        0,
        expect.stringMatching(
          new RegExp(
            [
              /^ {2}cannot hold: limits\.maxConnections: must be what the process can hold, \d+ of 256 /,
              /descriptors \(ulimit -n\), got 10000; more are refused$/,
            ]
              .map((part) => part.source)
              .join(''),
          ),
        ),
      ]);
    });
    it('says all of it for a program, too', async () => {
      const audit = { file: at('none/audit.jsonl') };
      const { code, out, err } = await check({ audit }, '--json');
      expect([code, err]).toEqual([1, '']);
      expect(JSON.parse(out)).toMatchObject({
        ok: false,
        problems: [expect.stringMatching(/^audit\.file: /)],
        cannotHold: expect.any(Array) as string[],
        weakened: [],
      });
    });
  });
  it('serve listens, and SIGTERM ends it with 0', async () => {
    const [port, adminPort] = [await freePort(), await freePort()];
    writeFileSync(
      at('serve.json'),
      JSON.stringify({
        ...config([route]),
        listen: { host: '127.0.0.1', port },
        admin: { host: '127.0.0.1', port: adminPort },
        drainSeconds: 1,
      }),
    );
    const child = execFile(process.execPath, [agwFile, 'serve', '--config', at('serve.json')]);
    const exit = new Promise<number | null>((resolve) => child.once('exit', resolve));
    for (let i = 0; i < 100; i++) {
      const answer = await request(adminPort, { path: '/readyz' }).catch(() => undefined);
      if (answer?.status === 200) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect((await request(port, { path: '/healthz' })).text).toBe('{"status":"ok"}');
    child.kill('SIGTERM');
    expect(await exit).toBe(0);
  });
});
