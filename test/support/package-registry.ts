/** This package as it would be published, and a registry of npm's that has it. `npm run compile` comes before. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { root } from './synth';

const NAME = 'cdk8s-agentgateway';

export interface PackageRegistry {
  readonly tarball: string;
  readonly version: string;
  /** With it npm asks this registry. */
  readonly env: NodeJS.ProcessEnv;
  close(): void;
}

/** @param dir where the tarball is written */
export async function packageRegistry(dir: string): Promise<PackageRegistry> {
  const packing = ['pack', '--json', '--ignore-scripts', '--pack-destination', dir];
  const [{ filename }] = JSON.parse(
    execFileSync('npm', packing, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
  ) as { filename: string }[];
  const tarball = join(dir, filename);
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  const upstream = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim();
  const server = createServer((request, response) => {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/${NAME}`;
    if (request.url === `/${NAME}.tgz`) return void response.end(readFileSync(tarball));
    // For every other package it sends npm to the registry in use.
    if (request.url !== `/${NAME}`) {
      response.writeHead(307, { location: `${upstream.replace(/\/$/, '')}${request.url}` });
      return void response.end();
    }
    const version = { ...manifest, dist: { tarball: `${url}.tgz` } };
    const versions = { [manifest.version]: version };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ name: NAME, 'dist-tags': { latest: manifest.version }, versions }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    tarball,
    version: manifest.version,
    env: {
      npm_config_registry: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      npm_config_replace_registry_host: 'never',
      npm_config_audit: 'false',
    },
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
