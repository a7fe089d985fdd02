/** `agw config extract`: the config of a gateway and its files, out of a manifest, so that they can be checked here. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join, posix, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { CliError, required, type Command } from './command.js';
import { readObjects } from './kube-objects.js';
import { gatewaysIn, type MountedGateway } from './mounted-gateway.js';
import { visible } from './visible.js';

export const configExtract: Command = {
  usage: 'config extract MANIFEST...|- --out DIR [--gateway NAME]',
  summary: 'writes the config and the key sets that a manifest mounts into a folder, for check and explain',
  async run(args, { out }) {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { out: { type: 'string' }, gateway: { type: 'string' } },
    });
    const dir = required(values, 'out');
    if (positionals.length === 0)
      throw new CliError('MANIFEST', 'is required', undefined, 'name a file, or - for standard input');
    const gateways = chosen(gatewaysIn(readObjects(positionals)), values.gateway);
    // All is read before anything is written: half a folder would look like a whole one.
    const extracted = gateways.map((gateway) =>
      extract(gateway, resolve(gateways.length === 1 ? dir : join(dir, gateway.name))),
    );
    mustBeEmpty(dir);
    for (const { dir: folder, files, missing } of extracted) {
      for (const [path, text] of files) {
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, text, { flag: 'wx' });
      }
      for (const { local } of missing) mkdirSync(dirname(local), { recursive: true });
      out(
        `${join(folder, CONFIG)}: ${files.size} file(s); agw check --elsewhere --config ${join(folder, CONFIG)}`,
      );
      for (const { where, origin, local } of missing)
        out(visible(`  missing: ${where}: comes from ${origin}; put it into ${local}`));
    }
  },
};

const CONFIG = 'config.json';
/** What Kubernetes lets an object be called, which is safe as the name of a folder. */
const OBJECT_NAME = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;

function chosen(all: readonly MountedGateway[], name: string | undefined): readonly MountedGateway[] {
  const names = all.map((gateway) => gateway.name);
  if (all.length === 0)
    throw new CliError(
      'MANIFEST',
      'must have a Deployment whose container runs "proxy.mjs serve --config FILE", and its ConfigMaps',
    );
  const gateways = name === undefined ? all : all.filter((gateway) => gateway.name === name);
  if (gateways.length === 0)
    throw new CliError('--gateway', `must be one of ${names.join(', ')}`, JSON.stringify(name));
  const odd = gateways.find((gateway) => !OBJECT_NAME.test(gateway.name));
  if (odd !== undefined)
    throw new CliError('MANIFEST', 'must have names as Kubernetes has them', JSON.stringify(odd.name));
  const twice = gateways.filter((gateway, i) =>
    gateways.some((other, j) => j < i && other.name === gateway.name),
  );
  if (twice.length > 0)
    throw new CliError(
      'MANIFEST',
      'must have one gateway of a name',
      `several called ${twice[0]!.name}`,
      'give the manifest of one namespace',
    );
  return gateways;
}

function mustBeEmpty(dir: string): void {
  let entries: readonly string[];
  try {
    entries = readdirSync(dir);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return;
    throw new CliError('--out', 'must be a folder that can be read, or not exist', `${dir} (${code})`);
  }
  if (entries.length > 0)
    throw new CliError('--out', 'must be empty or not exist', `${dir} with ${entries[0]}`, 'name another');
}

interface Extracted {
  readonly dir: string;
  /** Path on this machine -> text. */
  readonly files: ReadonlyMap<string, string>;
  readonly missing: readonly Missing[];
}

/** What the config names and the manifest does not have. */
interface Missing {
  /** Place in the config. */
  readonly where: string;
  readonly origin: string;
  /** Path on this machine that the config names now. */
  readonly local: string;
}

function extract(gateway: MountedGateway, dir: string): Extracted {
  const { name, configFile, find } = gateway;
  const files = new Map<string, string>();
  const missing: Missing[] = [];
  const config = find(configFile);
  if (config === undefined || 'missing' in config)
    throw new CliError(`gateway ${name}`, `must have ${configFile} in a ConfigMap`, config?.missing);
  const localPath = (where: string, path: string): string => {
    const file = find(path);
    if (file === undefined) return path;
    // As it was found: from a folder of ours, `..` would lead further up than from the root.
    const local = join(dir, 'files', posix.normalize(path));
    if ('text' in file) files.set(local, file.text);
    else missing.push({ where, origin: file.missing, local });
    return local;
  };
  const rewritten = withPaths(parseConfig(config.text, name), '', localPath);
  return { dir, missing, files: files.set(join(dir, CONFIG), `${JSON.stringify(rewritten, null, 2)}\n`) };
}

function parseConfig(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CliError(`gateway ${name}`, 'must have a config in JSON', (cause as Error).message);
  }
}

/** The schema calls what names a file `file`, or something that ends in `File`. */
const NAMES_A_FILE = /(^f|F)ile$/;

/** The same, with other paths where it names files. */
function withPaths(
  value: unknown,
  where: string,
  localPath: (where: string, path: string) => string,
): unknown {
  if (Array.isArray(value)) return value.map((item, i) => withPaths(item, `${where}[${i}]`, localPath));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, member]: [string, unknown]) => {
      const place = where === '' ? key : `${where}.${key}`;
      const named = NAMES_A_FILE.test(key) && typeof member === 'string';
      return [key, named ? localPath(place, member) : withPaths(member, place, localPath)];
    }),
  );
}
