/** Another config while requests are under way: theirs is the one they came under. */
import { writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseConfig, type Config, type ConfigInput } from '../src/config/index.js';
import { createResourceRegistry } from '../src/resource-registry.js';
import { freePort, ORIGIN, startFixture, type GatewayFixture } from './support/gateway.js';
import { accessToken, ec, proof, thumbprint } from './support/mint.js';

const client = ec();
const jkt = thumbprint(client);
let fixture: GatewayFixture;
let input: ConfigInput;
beforeEach(async () => {
  fixture = await startFixture({
    change: (config) => {
      input = config;
    },
  });
});
afterEach(() => fixture.stop());

const changed = (change: (config: ConfigInput) => void): Config => {
  const copy = structuredClone(input);
  change(copy);
  const parsed = parseConfig(copy);
  if (!parsed.ok) throw new Error(parsed.problems.join('\n'));
  return parsed.config;
};
const ask = (path = '/mcp', more: Record<string, string> = {}) => {
  const token = accessToken(fixture.as, { cnf: { jkt } });
  return fixture.ask({
    method: 'POST',
    path,
    headers: { authorization: `DPoP ${token}`, dpop: proof(client, 'POST', ORIGIN + path, token), ...more },
  });
};
const listen = () =>
  new Promise<{ got: () => string; ended: Promise<void> }>((resolve, reject) => {
    const token = accessToken(fixture.as, { cnf: { jkt } });
    http
      .get(
        {
          host: '127.0.0.1',
          port: fixture.gateway.port,
          path: '/mcp',
          headers: { authorization: `DPoP ${token}`, dpop: proof(client, 'GET', `${ORIGIN}/mcp`, token) },
          agent: false,
        },
        (answer) => {
          let got = '';
          answer.on('data', (chunk: Buffer) => {
            got += chunk.toString();
          });
          resolve({
            got: () => got,
            ended: new Promise((done) => {
              answer.on('close', done);
            }),
          });
        },
      )
      .on('error', reject);
  });
const metric = async (line: string) =>
  (await fixture.admin('/metrics')).text
    .split('\n')
    .find((l) => l.startsWith(line))
    ?.slice(line.length + 1);

it('a new route is there, a removed one is gone, and what was under way ends as it began', async () => {
  let finish = () => {};
  fixture.answer = (_, response) => {
    finish = () => response.end('late');
  };
  const slow = ask();
  while (fixture.seen.length === 0) await sleep(5);
  const mcp = input.routes[0]!;
  expect(
    await fixture.gateway.reload(
      changed((c) => {
        c.routes = [{ ...mcp, name: 'other', pathPrefix: '/other' }];
      }),
    ),
  ).toEqual([]);
  fixture.answer = (_, response) => response.end('{}');
  expect((await ask('/other')).status).toBe(200);
  expect((await ask('/mcp')).status).toBe(404);
  finish();
  expect(await slow).toMatchObject({ status: 200, text: 'late' });
  expect(await metric('agentgateway_reloads_total{what="config",result="ok"}')).toBe('1');
});

it('an open stream goes on while the rules that let it in are the same, and ends with them', async () => {
  fixture.answer = (_, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: 1\n\n');
  };
  const stream = await listen();
  expect(
    await fixture.gateway.reload(
      changed((c) => {
        c.limits = { maxBodyBytes: 1000 };
        c.routes[0]!.rateLimit = { maxTokens: 5, tokensPerFill: 1 };
      }),
    ),
  ).toEqual([]);
  expect(await Promise.race([stream.ended, sleep(300, 'open')])).toBe('open');
  expect(
    await fixture.gateway.reload(
      changed((c) => {
        c.issuers[0]!.algorithms = ['ES256'];
      }),
    ),
  ).toEqual([]);
  await stream.ended;
  expect(stream.got()).toMatch(/config_changed\nretry: 1000\n$/);
});

it('a stream that was asked for before a reload and is answered after it stands under the new rules', async () => {
  let begin = () => {};
  fixture.answer = (_, response) => {
    begin = () => {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: 1\n\n');
    };
  };
  const asked = listen();
  while (fixture.seen.length === 0) await sleep(5);
  const mcp = input.routes[0]!;
  expect(
    await fixture.gateway.reload(
      changed((c) => {
        c.routes = [{ ...mcp, name: 'other', pathPrefix: '/other' }];
      }),
    ),
  ).toEqual([]);
  begin();
  const stream = await asked;
  await stream.ended;
  expect(stream.got()).toMatch(/config_changed\nretry: 1000\n$/);
});

it('a proof that was used before is used after, and a bucket that was empty stays empty', async () => {
  const reload = (drainSeconds: number) =>
    fixture.gateway.reload(
      changed((c) => {
        c.routes[0]!.rateLimit = { maxTokens: 2, tokensPerFill: 1, fillIntervalSeconds: 3600 };
        c.drainSeconds = drainSeconds;
      }),
    );
  await reload(6);
  const token = accessToken(fixture.as, { cnf: { jkt } });
  const same = {
    method: 'POST',
    path: '/mcp',
    headers: { authorization: `DPoP ${token}`, dpop: proof(client, 'POST', `${ORIGIN}/mcp`, token) },
  };
  expect((await fixture.ask(same)).status).toBe(200);
  await reload(7);
  expect((await fixture.ask(same)).status).toBe(401);
  expect((await ask()).status).toBe(200);
  await reload(8);
  expect((await ask()).status).toBe(429);
});

it('what is read at the start only is refused by name, and nothing of the config is taken', async () => {
  const { port } = input.listen!;
  const problems = await fixture.gateway.reload(
    changed((c) => {
      c.listen!.port = port! - 1;
      c.replay = { store: 'memory', maxEntries: 5000 };
      c.routes.splice(0, 1);
    }),
  );
  expect(problems).toEqual([
    expect.stringMatching(/^listen: must stay as it is/),
    expect.stringMatching(/^replay: must stay/),
  ]);
  expect((await ask()).status).toBe(200);
  expect(await metric('agentgateway_reloads_total{what="config",result="refused"}')).toBe('1');
});

it('waits for the keys of a new issuer, answers meanwhile, and stays ready', async () => {
  const keysPort = await freePort();
  let done = false;
  const reloading = fixture.gateway
    .reload(
      changed((c) => {
        c.issuers.push({
          name: 'new',
          issuer: 'https://new.example',
          jwks: { url: `http://127.0.0.1:${keysPort}/jwks`, cooldownSeconds: 1 },
        });
        c.routes[0]!.auth.issuers.push('new');
      }),
    )
    .finally(() => {
      done = true;
    });
  await sleep(200);
  expect([done, (await ask()).status, (await fixture.admin('/readyz')).status]).toEqual([false, 200, 200]);
  const server = http.createServer((_, response) =>
    response.end(
      JSON.stringify({
        keys: [
          { ...JSON.parse(JSON.stringify(client.publicKey.export({ format: 'jwk' }))), kid: 'n', use: 'sig' },
        ],
      }),
    ),
  );
  await new Promise<void>((resolve) => server.listen(keysPort, '127.0.0.1', resolve));
  expect(await reloading).toEqual([]);
  server.closeAllConnections();
  server.close();
}, 15_000);

it('a key file that is rotated, or broken, is counted', async () => {
  writeFileSync(join(fixture.dir, 'as.json'), '{"keys":[');
  for (
    let i = 0;
    i < 40 && (await metric('agentgateway_reloads_total{what="jwks",result="refused"}')) === undefined;
    i++
  )
    await sleep(50);
  expect(await metric('agentgateway_reloads_total{what="jwks",result="refused"}')).toBe('1');
  expect((await ask()).status).toBe(200);
});

describe('parts', () => {
  const part = (log: string[], name: string) => ({ name, close: () => log.push(name) });
  it('that two configs name alike are one; the others are closed when it is decided', () => {
    const log: string[] = [];
    const parts = createResourceRegistry();
    const first = parts.begin();
    const a = first.acquire(['a', 1], () => part(log, 'a'));
    first.acquire(['b'], () => part(log, 'b'));
    first.commit();
    const second = parts.begin();
    expect(second.acquire(['a', 1], () => part(log, 'a2'))).toBe(a);
    second.acquire(['c'], () => part(log, 'c'));
    second.rollback();
    expect(log).toEqual(['c']);
    const third = parts.begin();
    third.acquire(['a', 2], () => part(log, 'a3'));
    third.commit();
    expect(log).toEqual(['c', 'a', 'b']);
    parts.close();
    expect(log).toEqual(['c', 'a', 'b', 'a3']);
  });
});
