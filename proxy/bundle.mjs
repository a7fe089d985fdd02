// proxy/src -> assets/. Our own code stays readable (a GitOps diff is reviewed); every library is a file of its own, so that a
// manifest carries only what its gateway uses and no ConfigMap nears kubectl's 262 144-byte annotation limit.
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
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
  legalComments: 'none',
};
// A bundled CommonJS library calls require() for Node's built-ins; ESM has none until we make it.
const requireBanner = {
  js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
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
    "export { _default, array, boolean, discriminatedUnion, enum, literal, number, optional, prefault, record, refine, strictObject, string, union } from 'zod/mini';",
  'prom-client':
    "export { AggregatorRegistry, Registry, Counter, Gauge, Histogram, collectDefaultMetrics } from 'prom-client';",
  ioredis: "export { Cluster, Redis } from 'ioredis';",
  'rate-limiter-flexible':
    "export { default as RateLimiterRedis } from 'rate-limiter-flexible/lib/RateLimiterRedis.js';",
  jose: "export { SignJWT, calculateJwkThumbprint, exportJWK } from 'jose';",
  '@opentelemetry/api': "export { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';",
  '@opentelemetry/core': "export { W3CTraceContextPropagator } from '@opentelemetry/core';",
  '@opentelemetry/exporter-trace-otlp-http':
    "export { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';",
  '@opentelemetry/resources':
    "export { defaultResource, resourceFromAttributes } from '@opentelemetry/resources';",
  '@opentelemetry/sdk-trace':
    "export { BatchSpanProcessor, ParentBasedSampler, SamplingDecision, TracerProvider } from '@opentelemetry/sdk-trace';",
};

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
for (const [entry, file] of [
  ['src/main.ts', 'proxy.mjs'],
  ['src/cli/agw.ts', 'agw.mjs'],
]) {
  const { metafile } = await build({
    metafile: true,
    ...common,
    entryPoints: [entry],
    format: 'esm',
    plugins: [vendorChunks],
    external: ['./proxy.mjs'],
    outfile: join(assets, file),
  });
  metafiles.push(metafile);
}
// What lib asks at synth, as the proxy will at start. It is CommonJS and may not depend on anything at run time: one self-contained file.
const asked = "export * from './src/config/index.ts'; export { parseJwks } from './src/keys/parse-jwks.ts';";
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
  'proxy.mjs',
  'agw.mjs',
  'config.cjs',
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
writeFileSync(join(assets, 'THIRD-PARTY-NOTICES.txt'), notices(metafiles, here));
if (process.argv.includes('--sizes'))
  for (const [f, n] of sizes) console.log(`${String(n).padStart(8)} ${f}`);
