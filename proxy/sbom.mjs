// What is in the bundle, as CycloneDX 1.6: every package of which esbuild took a file, with the hash of each
// chunk. The same bundle has the same document: no time, and a serial number that is its content's hash.
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join, sep } from 'node:path';

/** @param metafiles of esbuild; paths in them are relative to `base` @param chunks file -> sha256 of the assets */
export function sbom(metafiles, base, chunks) {
  const root = JSON.parse(readFileSync(join(base, '..', 'package.json'), 'utf8'));
  const packages = packagesOf(metafiles, base)
    .map(({ name, version, license }) => ({
      type: 'library',
      'bom-ref': purl(name, version),
      name,
      version,
      licenses: [{ license: { id: license } }],
      purl: purl(name, version),
    }))
    .sort((a, b) => a.purl.localeCompare(b.purl));
  const files = Object.entries(chunks).map(([name, sha256]) => ({
    type: 'file',
    'bom-ref': name,
    name,
    hashes: [{ alg: 'SHA-256', content: sha256 }],
  }));
  const self = {
    type: 'application',
    'bom-ref': 'proxy',
    name: root.name,
    version: root.version,
    licenses: [{ license: { id: root.license } }],
  };
  const components = [...packages, ...files];
  const content = {
    metadata: { component: self },
    components,
    dependencies: [{ ref: 'proxy', dependsOn: packages.map((p) => p['bom-ref']) }],
  };
  const hash = createHash('sha256').update(JSON.stringify(content)).digest('hex');
  const groups = [hash.slice(0, 8), hash.slice(8, 12), `4${hash.slice(13, 16)}`, `8${hash.slice(17, 20)}`];
  const serialNumber = `urn:uuid:${groups.join('-')}-${hash.slice(20, 32)}`;
  const head = { bomFormat: 'CycloneDX', specVersion: '1.6', serialNumber, version: 1 };
  return `${JSON.stringify({ ...head, ...content }, null, 2)}\n`;
}

/** The licences of the packages in the bundle, which ask to go where the code goes. Refuses a package that has none. */
export function notices(metafiles, base) {
  const texts = packagesOf(metafiles, base).map(({ name, version, license, folder }) => {
    const file = readdirSync(folder).find((entry) => /^(licen[cs]e|copying)/i.test(entry));
    if (file === undefined && typeof license !== 'string')
      throw new Error(`${name}: must have a licence, got neither a file nor a field; do not bundle it`);
    const text =
      file === undefined
        ? `Licence: ${license} (the package carries no text of it)`
        : readFileSync(join(folder, file), 'utf8').trim();
    return `${name} ${version}\n\n${text}\n`;
  });
  return texts.sort().join(`\n${'-'.repeat(80)}\n\n`);
}

/** package.json and folder of every package of which code is in an output. */
function packagesOf(metafiles, base) {
  const inputs = metafiles
    .flatMap(({ outputs }) => Object.values(outputs))
    .flatMap((output) => Object.entries(output.inputs))
    .filter(([, { bytesInOutput }]) => bytesInOutput > 0);
  const folders = new Set(
    inputs.map(([input]) => packageFolder(input)).filter((folder) => folder !== undefined),
  );
  return [...folders].map((folder) => ({
    ...JSON.parse(readFileSync(join(base, folder, 'package.json'), 'utf8')),
    folder: join(base, folder),
  }));
}

const purl = (name, version) => `pkg:npm/${name.replace('@', '%40')}@${version}`;

/** `../node_modules/a/lib/b.js` -> `../node_modules/a`; of our own sources: none. */
function packageFolder(input) {
  const parts = input.split(/[\\/]/);
  const at = parts.lastIndexOf('node_modules');
  return at === -1 ? undefined : parts.slice(0, at + (parts[at + 1].startsWith('@') ? 3 : 2)).join(sep);
}
