// npm run demo: the whole way on loopback, no cluster. npm run demo -- --hold --json: keeps it up and prints
// one line of JSON, for a client of your own; SIGTERM or SIGINT ends it. --bundled: for a caller that has just
// run `npm run bundle`, and whose other processes read assets/ meanwhile.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { createCases, untilServed } from './cases.mjs';
import { build, startStack } from './stack.mjs';

const flag = { type: 'boolean', default: false };
const { values } = parseArgs({ options: { hold: flag, json: flag, bundled: flag } });
const say = values.json
  ? (line) => process.stderr.write(`${line}\n`)
  : (line) => process.stdout.write(`${line}\n`);

// A runner that is killed does not always pass the signal on.
const parent = process.ppid;
build({ bundled: values.bundled });
let ending = false;
const fail = (problem) => {
  if (ending) return;
  process.stderr.write(`demo: ${problem}\n`);
  void end(1);
};
// Also while it starts: what is half up has processes and private keys on disk, which must not outlive us.
const end = async (code) => {
  if (ending) return;
  ending = true;
  await (await starting.catch(() => undefined))?.stop();
  process.exit(code);
};
process.on('SIGTERM', () => end(0));
process.on('SIGINT', () => end(0));
const starting = startStack({ onExit: fail });
setInterval(() => {
  if (process.ppid !== parent) void end(0);
}, 500).unref();
const stack = await starting.catch((cause) => fail(cause.message));

if (ending || stack === undefined) {
  await end(1); // an end is under way, and it exits
} else if (values.hold) {
  // A client of one's own need not know nonces: when the line is there, a first proof passes.
  await untilServed(stack.info).catch((cause) => fail(cause.message));
  if (values.json) process.stdout.write(`${JSON.stringify(stack.info)}\n`);
  else say(JSON.stringify(stack.info, null, 2));
  setInterval(() => {}, 1 << 30);
} else {
  const failed = await table().catch((cause) => {
    process.stderr.write(`demo: ${cause.stack}\n`);
    return 1;
  });
  await end(failed === 0 ? 0 : 1);
}

async function table() {
  const cases = await createCases(stack.info);
  const width = (key) => Math.max(...cases.map((c) => c[key].length));
  const [what, want] = [width('what'), width('want')];
  say(`     ${'sent'.padEnd(what)}  ${'expected'.padEnd(want)}  got`);
  let passed = 0;
  for (const c of cases) {
    const { got, detail } = await c
      .run()
      .catch((cause) => ({ got: `error: ${cause.message}`, detail: cause.stack }));
    const ok = got === c.want;
    if (ok) passed += 1;
    say(`${ok ? 'ok  ' : 'FAIL'} ${c.what.padEnd(what)}  ${c.want.padEnd(want)}  ${got}`);
    if (!ok) say(`     ${detail}`);
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
  const audit = readFileSync(stack.info.auditLog, 'utf8').trim().split('\n');
  const metrics = (await (await fetch(stack.info.metrics)).text()).split('\n');
  const metric = (name) => metrics.find((line) => line.startsWith(`${name}{`)) ?? `${name}: no such metric`;
  say(
    `\none of ${audit.length} audit lines:\n${audit.find((line) => line.includes('dpop_replayed')) ?? audit[0]}`,
  );
  const shown = [
    'agentgateway_jwt_auth_failure_total',
    'agentgateway_request_duration_seconds_count',
    'agentgateway_active_connections',
  ];
  say(`\nmetrics:\n${shown.map(metric).join('\n')}`);
  say(`\nwhole stack ready in ${stack.readyMs} ms\ndemo: ${passed} passed, ${cases.length - passed} failed`);
  return cases.length - passed;
}
