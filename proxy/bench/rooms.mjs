// Where the CPU of a request goes, by room of proxy/src, from a CPU profile of the gateway under the load of
// `bench -- proxy`. A sample counts for the room whose code runs, or has called what runs (node:crypto, node:net);
// what no room has called is Node's own: its HTTP parser and its streams, the event loop, and what the kernel does
// for them. Prints one JSON object.
//   npm run bench -- rooms [--requests 20000 --docs]
import { readdirSync, readFileSync } from 'node:fs';
import { once } from 'node:events';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { ASSETS, freePort, here, load, openBed, postOf, rounded } from './bed.mjs';

const { values } = parseArgs({
  options: { requests: { type: 'string', default: '20000' }, docs: { type: 'boolean', default: false } },
});
const REQUESTS = Number(values.requests);
if (!Number.isInteger(REQUESTS) || REQUESTS < 1000 || REQUESTS > 200_000)
  throw new Error(`--requests: must be 1000 to 200000, got ${values.requests}`);
const WARM_UP = 3000;
const SAMPLE_MICROS = 200;

/** Chunk of assets/ -> for each of its lines, counted from 0, the room it came from: esbuild names each file once. */
function roomsOfChunk(name) {
  let room = 'libraries';
  return readFileSync(join(ASSETS, name), 'utf8')
    .split('\n')
    .map((line) => {
      const [, file] = /^\/\/ src\/(\S+)\.ts$/.exec(line) ?? [];
      if (file !== undefined) room = file.includes('/') ? file.split('/')[0] : 'the program';
      return room;
    });
}

/** @returns the room of a frame; undefined for one that is not ours */
function roomFinder() {
  const chunks = new Map();
  return ({ url, lineNumber }) => {
    if (!url.startsWith('file:')) return undefined;
    const name = basename(url);
    if (!chunks.has(name)) chunks.set(name, roomsOfChunk(name));
    return chunks.get(name)[lineNumber];
  };
}

/** What runs, where no room's code does. */
function partOf({ functionName, url }) {
  if (functionName === '(garbage collector)') return 'collecting';
  return /crypto/.test(url) || /^(verify|hash|digest|oneShotDigest|timingSafeEqual)/i.test(functionName)
    ? 'crypto'
    : 'node';
}

/** Microseconds of each room: its own, in node:crypto, and in the rest of Node. */
function byRoom({ nodes, samples, timeDeltas }, roomOf) {
  const frames = new Map(nodes.map((node) => [node.id, node.callFrame]));
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])));
  const idle = new Set(['(idle)', '(root)']);
  const rooms = new Map();
  samples.forEach((id, n) => {
    const frame = frames.get(id);
    if (idle.has(frame.functionName)) return;
    let at = id;
    while (at !== undefined && roomOf(frames.get(at)) === undefined) at = parents.get(at);
    const room = at === undefined ? 'Node, called by nobody of ours' : roomOf(frames.get(at));
    const part = at === id ? 'own' : partOf(frame);
    const sums = rooms.get(room) ?? { own: 0, crypto: 0, node: 0, collecting: 0 };
    sums[part] += timeDeltas[n];
    rooms.set(room, sums);
  });
  return rooms;
}

const bed = openBed();
try {
  const backend = await freePort();
  await bed.start([join(here, 'servers.mjs'), 'backend', String(backend)], `http://127.0.0.1:${backend}/`);
  const ports = [await freePort(), await freePort()];
  const origin = `http://127.0.0.1:${ports[0]}`;
  const { token, proof } = bed.signer(origin);
  const requests = Array.from({ length: REQUESTS + WARM_UP }, (_, n) => postOf(token, proof(n)));
  const flags = ['--cpu-prof', `--cpu-prof-dir=${bed.dir}`, `--cpu-prof-interval=${SAMPLE_MICROS}`];
  const gateway = await bed.startGateway({ name: 'profiled', backend, origin, ports, flags });
  const before = await gateway.cpu();
  const { ok } = await load(gateway.port, requests);
  if (ok !== requests.length) throw new Error(`${requests.length - ok} requests were not answered 200`);
  const micros = ((await gateway.cpu()) - before) * 1e6;
  gateway.child.kill('SIGTERM');
  await once(gateway.child, 'exit');
  const [file] = readdirSync(bed.dir).filter((name) => name.endsWith('.cpuprofile'));
  const rooms = byRoom(JSON.parse(readFileSync(join(bed.dir, file), 'utf8')), roomFinder());
  const sum = (parts) => Object.values(parts).reduce((a, b) => a + b, 0);
  const all = [...rooms.values()].map(sum).reduce((a, b) => a + b, 0);
  const share = (time) => rounded((100 * time) / all);
  process.stdout.write(
    `${JSON.stringify({
      requests: requests.length,
      cpuMicrosPerRequest: rounded(micros / requests.length),
      rooms: [...rooms]
        .map(([room, parts]) => ({
          room,
          percent: share(sum(parts)),
          ...Object.fromEntries(Object.entries(parts).map(([part, time]) => [part, share(time)])),
        }))
        .toSorted((a, b) => b.percent - a.percent),
      node: process.version,
    })}\n`,
  );
} finally {
  bed.close();
}
