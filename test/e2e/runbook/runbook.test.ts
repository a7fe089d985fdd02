/**
 * The commands of docs/runbook.md, as they stand there: each procedure does what its section says, and each of five
 * faults is found and mended by following the section that an alert's link leads to. Blocks that need a cluster are run
 * by test/e2e/cluster/guides.test.ts.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { hasRedis } from '../../../proxy/test/replay/redis-process.js';
import { needs, programOf } from '../support/daemon.js';
import { blocksOf } from '../support/guide.js';
import { CLIENTS, RunbookStack } from '../support/runbook-stack.js';

const page = readFileSync(join(import.meta.dirname, '..', '..', '..', 'docs', 'runbook.md'), 'utf8');
const local = blocksOf(page).filter(({ needsCluster, notRun }) => !needsCluster && notRun === undefined);
const NOT_RUN = 4;
const WORDS = 'Words';
const words = local.find(({ title }) => title === WORDS)!.commands;
/** Sections whose blocks a test ran. */
const ran = new Set<string>([WORDS]);

/** The commands of a section. @param count how many blocks it has, so that none is left out */
const blocks = (title: string, count: number): readonly string[] => {
  ran.add(title);
  const found = local.filter((block) => block.title === title);
  expect([title, found.length]).toEqual([title, count]);
  return found.map(({ commands }) => commands);
};
/** What a section says to do about it, where it names several things. */
const adviceOn = (title: string, about: string): string => {
  const section = page.split(/^## /m).find((text) => text.startsWith(`${title}\n`))!;
  const advice = section.split(/^- /m).find((item) => item.split('\n', 1)[0]!.includes(`\`${about}\``));
  if (advice === undefined) throw new Error(`${title}: says nothing about ${about}`);
  return advice;
};

const missing = [
  ...(hasRedis() ? [] : ['redis-server']),
  ...['bash', 'curl', 'jq', 'openssl'].filter((name) => programOf(name) === undefined),
];
needs('the runbook', missing);
(missing.length === 0 ? describe : describe.skip)('the runbook', () => {
  let stack: RunbookStack;
  const run = (block: string | undefined, route?: Parameters<RunbookStack['url']>[0]) =>
    stack.sh(`${words}\n${block!}`, route);
  const call = (route?: Parameters<RunbookStack['url']>[0]) => run('call | sed -n 1p', route);
  const passes = async () => expect(await call()).toMatch(/^HTTP\/2 200/);
  const isRefused = async (reason: string) => {
    expect(await call()).toMatch(/^HTTP\/2 401/);
    expect(await run(`lines '.reason == "${reason}"' | wc -l`)).not.toBe('0\n');
  };

  /** The status that a client of the self-signed profile gets. */
  const asAgent = (name: string) =>
    run(
      `curl -sS -o /dev/null -w '%{http_code}' -X POST "$GATEWAY" -H "Authorization: Bearer $(
        agw token mint --key ${name}.pem --kid ${name} --iss ${CLIENTS} --aud mcp-gateway \\
          --htm POST --htu "$GATEWAY")"`,
      'self',
    );

  beforeAll(async () => {
    stack = await RunbookStack.start();
    // A Redis that has just started refuses what may be older than itself; self-signed tokens know no nonces.
    while ((await asAgent('agent-7')) !== '200') await setTimeout(500);
  }, 60_000);
  afterAll(() => stack.stop());

  describe('the procedure', () => {
    it('Verify: says that it is ready, and lets a proof pass once', async () => {
      const [ready, twice, smoke, status] = blocks('Verify', 4);
      expect(await run(ready)).toMatch(/"status":"ok".*\nHTTP\/2 200 *\r?\n401 without credentials\n$/);
      expect(await run(twice)).toMatch(/^401 once more\n\{.*"reason":"dpop_replayed".*\}\n$/);
      expect(await run(smoke)).toMatch(/^ok +replay +401 dpop_replayed[^]*\nall 10 as they must be\n$/m);
      expect(await run(status)).toMatch(
        /^agent gateway http:\/\/127\.0\.0\.1:\d+: ready\n[^]* dpop_replayed /,
      );
    });

    it('Read an audit trail: finds the use of a proof that was sent again', async () => {
      const [trail] = blocks('Read an audit trail', 1);
      const said = await run(trail);
      expect(said).toMatch(/"dpop.jkt": "[\w-]{43}"/);
      const uses = said
        .split('\n')
        .filter((line) => line.startsWith('['))
        .map((line) => (JSON.parse(line) as string[])[1]);
      expect(uses).toEqual(['ok', 'dpop_replayed']);
    });

    it('Rotate the signing key: no request is refused before, between and after', async () => {
      const [add, retire] = blocks('Rotate the signing key', 2);
      expect(await run(add)).toMatch(/HTTP\/2 200/);
      expect(await run('lines \'.event == "reloaded"\' | tail -n 1')).toContain(
        '"what":"keys of issuer as","live":"kid my-key-1, my-key-2"',
      );
      stack.issuer({ kid: 'my-key-2' });
      await passes();
      expect(await run(retire)).toMatch(/HTTP\/2 200 *\r?\n0\n$/);
      stack.issuer({ kid: 'my-key-1' });
      await isRefused('token_key_unknown');
      stack.issuer({ kid: 'my-key-2' });
    });

    it('Rotate the nonce keys: a nonce of before passes until the end', async () => {
      const [append, remove] = blocks('Rotate the nonce keys', 2);
      const before = readFileSync(stack.file('nonce-keys'), 'utf8');
      const asked = `curl -sS -i -H "Authorization: DPoP $(token)" -H "DPoP: $(
        agw proof mint --key client.pem --htm POST --htu "$GATEWAY" --token "$(token)")" -X POST "$GATEWAY"`;
      const [, nonce] = /^dpop-nonce: (\S+)/im.exec(await run(asked, 'nonced'))!;
      expect(await run(append, 'nonced')).toMatch(/HTTP\/2 200/);
      expect(await run(remove, 'nonced')).toMatch(/HTTP\/2 200/);
      const after = readFileSync(stack.file('nonce-keys'), 'utf8');
      expect([after.trim().split('\n').length, after === before]).toEqual([1, false]);
      const held = `access=$(token)
        proof=$(agw proof mint --key client.pem --htm POST --htu "$GATEWAY" --token "$access" --nonce ${nonce})
        curl -sS -o /dev/null -w '%{http_code}' -X POST -H "Authorization: DPoP $access" -H "DPoP: $proof" "$GATEWAY"`;
      expect(await run(held, 'nonced')).toBe('200');
    });

    it('Rotate the certificate: clients see the new one at once', async () => {
      const [rotate] = blocks('Rotate the certificate', 1);
      await stack.sh(newCertificate(3));
      const [file, served] = (await run(rotate)).trim().split('\n');
      expect(file).toMatch(/^notAfter=/);
      expect(served).toBe(file);
      await passes();
    });

    it('Revoke a client: its key is worth nothing, the others are', async () => {
      const [revoke] = blocks('Revoke a client', 1);
      expect([await asAgent('agent-7'), await asAgent('agent-8')]).toEqual(['200', '200']);
      expect(await run(revoke)).toMatch(/ \d+ agent-7\t127\.0\.0\.1\n +1 agent-8\t127\.0\.0\.1\n/);
      expect([await asAgent('agent-7'), await asAgent('agent-8')]).toEqual(['401', '200']);
    });

    it('Redis failover: one that has forgotten costs a client one request more', async () => {
      const [check] = blocks('Redis failover', 1);
      await stack.redis.kill();
      await warns(stack, 'replay store');
      await stack.redis.restart(); // empty
      await isReady(stack);
      const [ready, recovered, , status] = (await run(check)).split('\n');
      expect([ready, recovered]).toEqual([
        expect.stringContaining('"status":"ok"'),
        expect.stringContaining('replay store redis://'),
      ]);
      expect(status).toMatch(/^HTTP\/2 200/);
    });

    it('Restart: clients see nothing of it, beside Redis', async () => {
      const [said] = blocks('Restart', 1);
      await stack.restart();
      expect(await run(said)).toMatch(/^HTTP\/2 200[^]* \d+ ok\n/);
    });
  });

  describe('a planted fault is found and mended by the section of its alert', () => {
    it('Redis gone', async () => {
      const [look] = blocks('AgentgatewayNotReady', 1);
      await stack.redis.kill();
      await isUnready(stack);
      const seen = await run(look);
      expect(seen).toContain('agentgateway_waiting_for{what="replay store"} 1');
      expect(seen).toContain('"waitingFor":["replay store"]');
      expect(seen).toMatch(/"event":"warning".*replay store redis:\/\//);
      expect(adviceOn('AgentgatewayNotReady', 'replay store')).toContain('bring Redis back');
      await stack.redis.restart();
      await isReady(stack);
      expect(await run('lines \'.event == "recovered"\' | tail -n 1')).toContain('replay store');
      await passes();
    });

    it('a token for the wrong audience', async () => {
      const [look, whatFor] = blocks('AgentgatewayCallersRefused', 3);
      stack.issuer({ audience: 'https://other.example/mcp' });
      await isRefused('token_audience_refused');
      const seen = await run(look);
      expect(seen).toMatch(
        /agentgateway_jwt_auth_failure_total\{route="mcp",reason="token_audience_refused"\} \d/,
      );
      expect(seen).toMatch(/"detail":"got ..https:\/\/other\.example\/mcp/);
      expect(adviceOn('AgentgatewayCallersRefused', 'token_audience_refused')).toContain(
        whatFor!.split('\n')[0]!,
      );
      stack.issuer({ audience: (await run(whatFor)).trim() });
      await passes();
    });

    it('a key that was retired too early', async () => {
      const [look, , putBack] = blocks('AgentgatewayCallersRefused', 3);
      stack.issuer({ kid: 'my-key-1' }); // retired above
      await isRefused('token_key_unknown');
      const seen = await run(look);
      expect(seen).toMatch(/^ +\d+ token_key_unknown$/m);
      expect(seen).toContain('"detail":"no RS256 key of issuer as fits the kid; it has my-key-2"');
      expect(adviceOn('AgentgatewayCallersRefused', 'token_key_unknown')).toContain(putBack!.split('\n')[0]!);
      await run(putBack);
      await passes();
    });

    it.each([
      [-420, 'dpop_expired', 'iat is 42\\d s ago'],
      [120, 'dpop_not_yet_valid', 'iat is 1[12]\\d s ahead'],
    ])('a client whose clock is off by %i seconds', async (ahead, reason, detail) => {
      const [look] = blocks('AgentgatewayClocksWrong', 1);
      stack.clientClock(ahead);
      await isRefused(reason);
      const seen = await run(look);
      expect(seen).toMatch(new RegExp(`${reason}\t[^\t]*${detail}[^\t]*\t127.0.0.1`));
      // This machine's clock is the gateway's, so it is neither the node's nor the operator's.
      const [gateways, ours] = [...seen.matchAll(/^date: (.*) GMT/gim)].map(([, date]) =>
        Date.parse(`${date} GMT`),
      );
      expect(Math.abs(gateways! - ours!)).toBeLessThanOrEqual(2_000);
      stack.clientClock(0);
      await passes();
    });

    it('an expired certificate', async () => {
      const [look] = blocks('AgentgatewayCertificateEnds', 1);
      await stack.sh(`${newCertificate(-1)}\ndeploy`);
      await expect(call()).rejects.toThrow(/certificate has expired|curl: \(60\)/);
      const [, ends] = /tls\.crt"\} (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC/.exec(await run(look))!;
      expect(Date.parse(`${ends}Z`)).toBeLessThan(Date.now());
      await stack.sh(newCertificate(2));
      const [rotate] = blocks('Rotate the certificate', 1);
      await run(rotate);
      await passes();
    });
  });

  it('has no block that no test runs, but for those that say why not', () => {
    expect(blocksOf(page).filter(({ notRun }) => notRun !== undefined)).toHaveLength(NOT_RUN);
    expect([...new Set(local.map(({ title }) => title))].filter((title) => !ran.has(title))).toEqual([]);
  });
});

/** As its issuer would make it: tls.crt and tls.key, for so many days. */
const newCertificate = (days: number): string => `
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=gateway -keyout tls.key \\
  -out tls.csr 2>/dev/null
openssl x509 -req -in tls.csr -signkey tls.key -days ${days} -out tls.crt \
  -extfile <(echo subjectAltName=IP:127.0.0.1) 2>/dev/null`;

const until = async (stack: RunbookStack, ready: string): Promise<void> => {
  await stack.sh(`for try in $(seq 100); do
    curl -sS "$ADMIN/readyz" | grep -q '"status":"${ready}"' && exit 0
    sleep 0.1
  done; exit 1`);
};
/** Of an outage that is shorter than it takes to see one nothing is said. */
const warns = (stack: RunbookStack, about: string): Promise<unknown> =>
  stack.sh(`for try in $(seq 50); do
    logs | grep '"event":"warning"' | grep -q '${about}' && exit 0
  done; exit 1`);
const isReady = (stack: RunbookStack) => until(stack, 'ok');
const isUnready = (stack: RunbookStack) => until(stack, 'not ready');
