// How long `cdk8s synth` takes, and whether it grows with what is synthesized: gateways, each with a namespace and a
// chart of its own, and one gateway with many routes. Beside it, in the same run, the floor: cdk8s alone, which
// writes the same objects in as many charts. Each in a process of its own. Prints one JSON object.
//   npm run bench -- synth
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { here, median, rounded } from './bed.mjs';

const ROOT = join(here, '..', '..');
const require = createRequire(import.meta.url);
const ROUNDS = 3;
const [role, ...args] = process.argv.slice(2);

/** @param gateways each with a namespace in a chart @param routes of each */
function synthesizeGateways(outdir, gateways, routes) {
  const { App, Chart } = require('cdk8s');
  const { AgentGateway, HardenedNamespace, JwksSource, McpRoute, Peer } = require(ROOT);
  const app = new App({ outdir });
  for (let n = 0; n < gateways; n++) {
    const namespace = `mcp-${n}`;
    const chart = new Chart(app, `chart-${n}`, { namespace });
    new HardenedNamespace(chart, 'Namespace', { name: namespace });
    const gateway = new AgentGateway(chart, 'Gateway', {
      issuer: 'https://idp.example.com',
      audience: 'https://gateway.example.com/mcp',
      publicOrigins: ['https://gateway.example.com'],
      jwks: JwksSource.fromFile(join(ROOT, 'apps', 'jwks.json')),
    });
    gateway.allowFrom(Peer.pods({ app: 'ai-agent' }));
    for (let route = 0; route < routes; route++)
      new McpRoute(chart, `Route-${route}`, {
        gateway,
        pathPrefix: `/mcp-${route}`,
        backend: 'my-mcp-server:5000',
        backendPeer: Peer.pods({ app: 'my-mcp-server' }),
      });
  }
  app.synth();
}

/** @param file the objects of each chart, as JSON */
function synthesizePlain(outdir, file) {
  const { ApiObject, App, Chart } = require('cdk8s');
  const { Construct } = require('constructs');
  const app = new App({ outdir });
  JSON.parse(readFileSync(file, 'utf8')).forEach((objects, n) => {
    const scope = new Construct(new Chart(app, `chart-${n}`), 'Objects');
    objects.forEach((object, k) => new ApiObject(scope, `object-${k}`, object));
  });
  app.synth();
}

/** What was synthesized, as JSON: reading YAML is no part of the floor. @returns the file */
function asJson(directory) {
  const { Yaml } = require('cdk8s');
  const file = `${directory}.json`;
  writeFileSync(file, JSON.stringify(readdirSync(directory).map((name) => Yaml.load(join(directory, name)))));
  return file;
}

/** @returns what the process used and took, in seconds */
function measure(...command) {
  const began = performance.now();
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [fileURLToPath(import.meta.url), ...command.map(String)],
    { env: { ...process.env, CDK8S_AGENTGATEWAY_NOTES: 'off' }, encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`${command.join(' ')}: ${stderr}`);
  return { wall: (performance.now() - began) / 1000, cpu: Number(stdout) };
}

/** One round of all: a slow minute hits each of them. */
function round(dir, n) {
  const out = (name) => join(dir, `${name}-${n}`);
  const hundred = measure('gateways', out('hundred'), 100, 1);
  const twoHundred = measure('gateways', out('two-hundred'), 200, 1);
  return {
    hundred,
    twoHundred,
    routes: measure('gateways', out('routes'), 1, 300),
    plainHundred: measure('plain', out('plain-hundred'), asJson(out('hundred'))),
    plainTwoHundred: measure('plain', out('plain-two-hundred'), asJson(out('two-hundred'))),
  };
}

if (role === 'gateways' || role === 'plain') {
  if (role === 'gateways') synthesizeGateways(args[0], Number(args[1]), Number(args[2]));
  else synthesizePlain(args[0], args[1]);
  const { user, system } = process.cpuUsage();
  process.stdout.write(String((user + system) / 1e6));
} else {
  if (!existsSync(join(ROOT, 'build', 'index.js')))
    throw new Error('synth: must have the compiled constructs, got none; run `npx projen compile`');
  const dir = mkdtempSync(join(tmpdir(), 'agw-bench-'));
  try {
    const rounds = Array.from({ length: ROUNDS }, (_, n) => round(dir, n));
    const of = (value) => rounded(median(rounds.map(value)), 2);
    process.stdout.write(
      `${JSON.stringify({
        gateways100Seconds: of(({ hundred }) => hundred.wall),
        gateways100CpuSeconds: of(({ hundred }) => hundred.cpu),
        plain100CpuSeconds: of(({ plainHundred }) => plainHundred.cpu),
        routes300Seconds: of(({ routes }) => routes.wall),
        routes300CpuSeconds: of(({ routes }) => routes.cpu),
        gateways200To100: of(({ hundred, twoHundred }) => twoHundred.cpu / hundred.cpu),
        plain200To100: of(({ plainHundred, plainTwoHundred }) => plainTwoHundred.cpu / plainHundred.cpu),
        node: process.version,
      })}\n`,
    );
  } finally {
    rmSync(dir, { recursive: true });
  }
}
