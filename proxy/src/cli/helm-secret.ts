/** `agw helm-secret inspect`: what whoever may read a release's Secret learns from it. */
import { gunzipSync } from 'node:zlib';
import { parseArgs } from 'node:util';
import { CliError, jsonLine, type Command, type Io } from './command.js';
import { at, listAt, objectsOf, readObjects, textAt } from './kube-objects.js';
import { hasSecretShape, leavesOf, shown, shownKey, type Leaf } from './secret-signs.js';

/** Of a release, unpacked. A Secret has at most a MiB, and charts shrink to a tenth. */
const MAX_RELEASE_BYTES = 32 * 2 ** 20;
const RELEASE_TYPE = 'helm.sh/release.v1';

export const helmSecretInspect: Command = {
  usage:
    'helm-secret inspect FILE|- [--show] [--json]   reads "kubectl get secrets -l owner=helm -o json"; ' +
    '--show prints the values',
  summary: 'lists what the Secrets of Helm releases keep of values and manifests; 0 if nothing looks secret',
  async run(args, io) {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { show: { type: 'boolean', default: false }, json: { type: 'boolean', default: false } },
    });
    if (positionals.length === 0)
      throw new CliError('FILE', 'is required', undefined, 'name a file, or - for standard input');
    const secrets = readObjects(positionals).filter(isRelease);
    if (secrets.length === 0)
      throw new CliError(
        'FILE',
        `must have a Secret of type ${RELEASE_TYPE}`,
        undefined,
        'kubectl get secrets -n NAMESPACE -l owner=helm -o json | agw helm-secret inspect -',
      );
    const releases = secrets.map(releaseOf);
    if (values.json) io.out(jsonLine(releases.map((release) => jsonOf(release, values.show))));
    else for (const release of releases) report(release, values.show, io);
    return releases.some(({ leaves }) => leaves.some(({ looksSecret }) => looksSecret)) ? 1 : 0;
  },
};

const isRelease = (object: unknown): boolean =>
  textAt(object, 'kind') === 'Secret' &&
  (textAt(object, 'type') === RELEASE_TYPE ||
    textAt(object, 'metadata', 'name')?.startsWith('sh.helm.release.v1.') === true);

interface Release {
  readonly name: string;
  readonly leaves: readonly Leaf[];
}

function releaseOf(secret: unknown): Release {
  const name = textAt(secret, 'metadata', 'name') ?? '';
  return { name, leaves: releaseLeaves(decodeRelease(secret, name)) };
}

function report({ name, leaves }: Release, show: boolean, { out }: Io): void {
  const secrets = leaves.filter(({ looksSecret }) => looksSecret).length;
  out(`${shown(name)}: ${secrets} of ${leaves.length} values look secret`);
  for (const leaf of leaves) out(`  ${leaf.looksSecret ? 'SECRET' : '      '}  ${lineOf(leaf, show)}`);
}

const jsonOf = ({ name, leaves }: Release, show: boolean): object => ({
  name,
  values: leaves.map(({ path, value, looksSecret }) => ({ path, looksSecret, ...(show ? { value } : {}) })),
});

function lineOf({ path, value }: Leaf, show: boolean): string {
  const kind = value === null ? 'null' : typeof value;
  const size = typeof value === 'string' ? `, ${value.length} characters` : '';
  return `${path}: ${kind}${size}${show ? ` = ${shown(value)}` : ''}`;
}

/** Base64 of Kubernetes around base64 of Helm around gzip of JSON; releases of early versions are not packed. */
function decodeRelease(secret: unknown, name: string): unknown {
  const outer = textAt(secret, 'data', 'release');
  const inner =
    outer === undefined
      ? textAt(secret, 'stringData', 'release')
      : Buffer.from(outer, 'base64').toString('latin1');
  if (inner === undefined) throw new CliError(shown(name), 'must have data.release');
  const bytes = Buffer.from(inner, 'base64');
  const isPacked = bytes[0] === 0x1f && bytes[1] === 0x8b;
  try {
    return JSON.parse((isPacked ? unpack(bytes, name) : bytes).toString('utf8')) as unknown;
  } catch (cause) {
    if (cause instanceof CliError) throw cause;
    throw new CliError(
      shown(name),
      'must be base64 of base64 of gzip of JSON, as Helm writes it',
      isPacked ? 'gzip of something else' : 'something else',
    );
  }
}

function unpack(bytes: Buffer, name: string): Buffer {
  try {
    return gunzipSync(bytes, { maxOutputLength: MAX_RELEASE_BYTES });
  } catch (cause) {
    const tooLarge = (cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
    throw new CliError(
      shown(name),
      tooLarge ? `must unpack to at most ${MAX_RELEASE_BYTES / 2 ** 20} MiB` : 'must be whole gzip',
      tooLarge ? 'more: a gzip bomb?' : (cause as Error).message,
    );
  }
}

/**
 * All of the user's values (`config`, which has what `--set` and `-f` gave) and of the chart's; of manifests the
 * Secrets, and of everything else only what looks secret.
 */
function releaseLeaves(release: unknown): Leaf[] {
  const manifests = [
    ['manifest', textAt(release, 'manifest')] as const,
    ...listAt(release, 'hooks').map((hook, i) => [`hooks[${i}].manifest`, textAt(hook, 'manifest')] as const),
  ];
  return [
    ...valuesAt(release, 'config'),
    ...valuesAt(release, 'chart', 'values'),
    ...manifests.flatMap(([where, text]) => manifestLeaves(where, text ?? '')),
    ...textLeaf('info.notes', textAt(release, 'info', 'notes')),
    ...(['files', 'templates'] as const).flatMap((kind) =>
      listAt(release, 'chart', kind).flatMap((file) =>
        textLeaf(
          `chart.${kind}[${shown(textAt(file, 'name') ?? '')}]`,
          Buffer.from(textAt(file, 'data') ?? '', 'base64').toString('utf8'),
        ),
      ),
    ),
  ];
}

function valuesAt(release: unknown, ...path: readonly string[]): Leaf[] {
  const values = at(release, ...path);
  return values === undefined || values === null ? [] : leavesOf(values, path.join('.'));
}

function manifestLeaves(where: string, text: string): Leaf[] {
  return objectsOf(text, where).flatMap((object) => {
    const kind = textAt(object, 'kind') ?? '';
    const path = `${where}.${shownKey(kind)}/${shownKey(textAt(object, 'metadata', 'name') ?? '')}`;
    if (kind !== 'Secret') return leavesOf(object, path).filter(({ looksSecret }) => looksSecret);
    return (['data', 'stringData'] as const).flatMap((member) => {
      const values = at(object, member);
      return values === undefined ? [] : leavesOf(values, `${path}.${member}`, true);
    });
  });
}

/** A text has no parts with names: it is one value. */
const textLeaf = (path: string, value: string | undefined): Leaf[] =>
  value !== undefined && hasSecretShape(value) ? [{ path, value, looksSecret: true }] : [];
