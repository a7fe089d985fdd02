// proxy/src -> assets/. Our own code stays readable (a GitOps diff is reviewed) and is cut into chunks along
// its rooms; every library is a chunk of its own, so that a manifest carries only what its gateway uses.
// lib/manifests/config-maps.ts says which ConfigMap carries which chunk; no map nears the 262 144 bytes that
// `kubectl apply` can annotate.
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { dashboard } from './dashboard.mjs';
import { notices, sbom } from './sbom.mjs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const assets = join(here, '..', 'assets');
/** esbuild's account of what went into which chunk. */
const metafiles = [];

/** import specifier -> chunk that carries it; libraries that share code share a chunk */
const VENDOR = {
  'zod/mini': 'vendor-zod.mjs',
  'prom-client': 'vendor-prom-client.mjs',
  ioredis: 'vendor-ioredis.mjs',
  'rate-limiter-flexible': 'vendor-rate-limiter.mjs',
  jose: 'vendor-jose.mjs',
  yaml: 'vendor-yaml.mjs',
  '@opentelemetry/api': 'vendor-opentelemetry.mjs',
  '@opentelemetry/core': 'vendor-opentelemetry.mjs',
  '@opentelemetry/exporter-trace-otlp-http': 'vendor-opentelemetry.mjs',
  '@opentelemetry/resources': 'vendor-opentelemetry.mjs',
  '@opentelemetry/sdk-trace': 'vendor-opentelemetry.mjs',
};

const common = {
  bundle: true,
  platform: 'node',
  target: 'node20',
  absWorkingDir: here,
  logLevel: 'warning',
  define: {
    AGW_VERSION: JSON.stringify(JSON.parse(readFileSync(join(here, '..', 'package.json'), 'utf8')).version),
  },
  legalComments: 'none',
};
// A bundled CommonJS library calls require() for Node's built-ins; ESM has none until we make it.
const requireBanner = {
  js:
    "import { createRequire as __createRequire } from 'node:module'; const require = " +
    '__createRequire(import.meta.url);',
};

/** Points an import of a library at its chunk. */
const vendorChunks = {
  name: 'vendor-chunks',
  setup(b) {
    for (const [specifier, file] of Object.entries(VENDOR)) {
      b.onResolve({ filter: new RegExp(`^${specifier.replaceAll('/', '\\/')}$`) }, () => ({
        path: `./${file}`,
        external: true,
      }));
    }
  },
};

/** The names that our sources import of a library; a chunk that exports only these lets esbuild drop the rest. */
const VENDOR_ENTRY = {
  'zod/mini':
    'export { _default, array, boolean, discriminatedUnion, enum, literal, number, object, optional, ' +
    "prefault, record, refine, strictObject, string, union } from 'zod/mini';",
  'prom-client':
    "export { AggregatorRegistry, Registry, Counter, Gauge, Histogram, collectDefaultMetrics } from 'prom-client';",
  ioredis: "export { Cluster, Redis } from 'ioredis';",
  'rate-limiter-flexible':
    "export { default as RateLimiterRedis } from 'rate-limiter-flexible/lib/RateLimiterRedis.js';",
  yaml: "export { parseAllDocuments } from 'yaml';",
  jose: "export { SignJWT, calculateJwkThumbprint, exportJWK } from 'jose';",
  '@opentelemetry/api': "export { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';",
  '@opentelemetry/core': "export { W3CTraceContextPropagator } from '@opentelemetry/core';",
  '@opentelemetry/exporter-trace-otlp-http':
    "export { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';",
  '@opentelemetry/resources':
    "export { defaultResource, resourceFromAttributes } from '@opentelemetry/resources';",
  '@opentelemetry/sdk-trace':
    'export { BatchSpanProcessor, ParentBasedSampler, SamplingDecision, TracerProvider } from ' +
    "'@opentelemetry/sdk-trace';",
};

/** The chunk that is started. */
const PROGRAM = 'proxy.mjs';
/**
 * Chunk -> the rooms in it, `.` being the files of proxy/src itself. A chunk imports only chunks below it, so
 * that none can import itself by a detour. A new room is named here once.
 */
const CHUNKS = {
  [PROGRAM]: ['.', 'workers'],
  'stages.mjs': ['stages', 'profiles'],
  'http.mjs': ['upstream', 'http'],
  'observe.mjs': ['admin', 'observe'],
  'stores.mjs': ['replay', 'limit', 'redis', 'keys', 'memory'],
  'checks.mjs': ['pipeline', 'checks'],
  'config.mjs': ['config'],
};
const source = join(here, 'src');

/** The chunk of a file of proxy/src. */
function chunkOf(file) {
  const room = dirname(relative(source, file));
  const found = Object.keys(CHUNKS).find((chunk) => CHUNKS[chunk].includes(room));
  if (found === undefined)
    throw new Error(`proxy/src/${room}: must be in a chunk, got none; name it in CHUNKS of proxy/bundle.mjs`);
  return found;
}

/** Points an import of another chunk's file at that chunk. */
const roomChunks = (chunk) => ({
  name: 'room-chunks',
  setup(b) {
    b.onResolve({ filter: /^\.\.?\// }, ({ path, resolveDir }) => {
      const file = join(resolveDir, path.replace(/\.js$/, '.ts'));
      if (relative(source, file).startsWith('..')) return undefined;
      const other = chunkOf(file);
      if (other === chunk) return undefined;
      const order = Object.keys(CHUNKS);
      if (order.indexOf(other) < order.indexOf(chunk))
        throw new Error(
          `${chunk}: must import chunks below it only, got ${path} of ${other}; move a room in CHUNKS`,
        );
      return { path: `./${other}`, external: true };
    });
  },
});

/** What the rooms of a chunk show: their index.ts, else every file; in an order that is the same everywhere. */
const sourcesOf = (chunk) =>
  CHUNKS[chunk].flatMap((room) => {
    const files = readdirSync(join(source, room)).filter((name) => name.endsWith('.ts'));
    return (files.includes('index.ts') ? ['index.ts'] : files.sort()).map((name) => join(source, room, name));
  });

/** File of proxy/src -> the names of the values that it exports. */
async function exportsOfSources() {
  const files = Object.keys(CHUNKS).flatMap(sourcesOf);
  const { metafile } = await build({
    ...common,
    entryPoints: files,
    bundle: false,
    write: false,
    metafile: true,
    outdir: assets,
    format: 'esm',
  });
  return new Map(
    Object.values(metafile.outputs).map(({ entryPoint, exports }) => [join(here, entryPoint), exports]),
  );
}

/** A module that exports what the files export. Two of one name would hide each other. */
function reexport(files, exported) {
  const from = new Map();
  for (const file of files)
    for (const name of exported.get(file)) {
      const other = from.get(name);
      if (other !== undefined)
        throw new Error(
          `${relative(here, file)}: must not export "${name}", as ${relative(here, other)} of the same ` +
            'chunk does; rename one',
        );
      from.set(name, file);
    }
  return [...from].map(([name, file]) => `export { ${name} } from ${JSON.stringify(file)};`).join('\n');
}

for (const file of new Set(Object.values(VENDOR))) {
  const contents = Object.keys(VENDOR)
    .filter((specifier) => VENDOR[specifier] === file)
    .map((specifier) => VENDOR_ENTRY[specifier])
    .join('\n');
  const { metafile } = await build({
    metafile: true,
    ...common,
    stdin: { contents, resolveDir: here },
    format: 'esm',
    minify: true,
    banner: requireBanner,
    outfile: join(assets, file),
  });
  metafiles.push(metafile);
}
const exported = await exportsOfSources();
for (const chunk of Object.keys(CHUNKS)) {
  const { metafile } = await build({
    metafile: true,
    ...common,
    ...(chunk === PROGRAM
      ? { entryPoints: ['src/main.ts'] }
      : { stdin: { contents: reexport(sourcesOf(chunk), exported), resolveDir: here } }),
    format: 'esm',
    plugins: [vendorChunks, roomChunks(chunk)],
    outfile: join(assets, chunk),
  });
  metafiles.push(metafile);
}
// An operator's tool. It never goes into a cluster and has no size to keep: one file, whatever the rooms.
metafiles.push(
  (
    await build({
      metafile: true,
      ...common,
      entryPoints: ['src/cli/agw.ts'],
      format: 'esm',
      plugins: [vendorChunks],
      external: [`./${PROGRAM}`],
      outfile: join(assets, 'agw.mjs'),
    })
  ).metafile,
);
// What lib asks at synth, as the proxy will at start. It is CommonJS and may not depend on anything at run
// time: one self-contained file.
const asked = `
  export * from './src/config/index.ts';
  export { valueProblems } from './src/config/places.ts';
  export { parseJwks } from './src/keys/parse-jwks.ts';
  export * from './src/kubernetes/cluster-needs.ts';
`;
metafiles.push(
  (
    await build({
      ...common,
      metafile: true,
      stdin: { contents: asked, resolveDir: here },
      format: 'cjs',
      minify: false,
      outfile: join(assets, 'config.cjs'),
    })
  ).metafile,
);

const kept = [
  ...Object.values(VENDOR),
  ...Object.keys(CHUNKS),
  'agw.mjs',
  'config.cjs',
  'dashboard.json',
  'manifest.json',
  'sbom.cdx.json',
  'THIRD-PARTY-NOTICES.txt',
  'types',
];
for (const stale of readdirSync(assets).filter((f) => !kept.includes(f)))
  rmSync(join(assets, stale), { recursive: true });

const sizes = readdirSync(assets)
  .filter((f) => /\.[mc]js$/.test(f))
  .map((f) => [f, statSync(join(assets, f)).size]);
writeFileSync(
  join(assets, 'manifest.json'),
  JSON.stringify(
    Object.fromEntries(
      sizes.map(([f]) => [
        f,
        createHash('sha256')
          .update(readFileSync(join(assets, f)))
          .digest('hex'),
      ]),
    ),
    null,
    2,
  ) + '\n',
);
writeFileSync(
  join(assets, 'sbom.cdx.json'),
  sbom(metafiles, here, JSON.parse(readFileSync(join(assets, 'manifest.json'), 'utf8'))),
);
writeFileSync(join(assets, 'dashboard.json'), JSON.stringify(dashboard(), null, 2) + '\n');
writeFileSync(join(assets, 'THIRD-PARTY-NOTICES.txt'), notices(metafiles, here));
if (process.argv.includes('--sizes'))
  for (const [f, n] of sizes) console.log(`${String(n).padStart(8)} ${f}`);
