import { sign } from 'node:crypto';
import { createVerifyQueue } from '../../src/profiles/verify-queue.js';
import { held } from '../support/held.js';
import { ec } from '../support/mint.js';

const key = ec();
const from = (network: string) => ({ network, isLimited: () => false });
const signed = (text: string) =>
  sign('sha256', Buffer.from(text), { key: key.privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url');

it('tells each of many requests at once about its own signature', async () => {
  const verify = createVerifyQueue({ isWelcome: () => true, most: 4096 });
  // More than are verified in one go, every third by another text's signature.
  const asked = Array.from({ length: 200 }, (_, n) => ({
    text: `text ${n}`,
    signature: signed(n % 3 === 0 ? 'another' : `text ${n}`),
  }));
  const told = await Promise.all(
    asked.map(({ text, signature }) => verify(from('192.0.2.1'), 'ES256', key.publicKey, text, signature)),
  );
  expect(told).toEqual(asked.map((_, n) => n % 3 !== 0));
});

it('goes on after it was empty, and lets other events in between', async () => {
  const verify = createVerifyQueue({ isWelcome: () => true, most: 4096 });
  const signature = signed('a');
  expect(await verify(from('192.0.2.1'), 'ES256', key.publicKey, 'a', signature)).toBe(true);
  let between = 0;
  const count = () => {
    between += 1;
    if (between < 50) setImmediate(count);
  };
  setImmediate(count);
  const many = Array.from({ length: 130 }, () =>
    verify(from('192.0.2.1'), 'ES256', key.publicKey, 'a', signature),
  );
  await many[0];
  expect(between).toBeLessThan(3);
  await Promise.all(many);
  expect(between).toBeGreaterThanOrEqual(2);
  expect(await verify(from('192.0.2.1'), 'ES256', key.publicKey, 'b', signature)).toBe(false);
});

it('looks at no further signature of an address that is not welcome any more', async () => {
  let refusals = 0;
  const verify = createVerifyQueue({
    isWelcome: (network) => network !== '198.51.100.9' || refusals < 5,
    most: 4096,
  });
  const ask = async (network: string, text: string) => {
    const decision = await verify(
      from(network),
      'ES256',
      key.publicKey,
      text,
      signed(text === 'forged' ? 'another' : text),
    );
    if (decision === false) refusals += 1;
    return decision;
  };
  const flood = Array.from({ length: 300 }, () => ask('198.51.100.9', 'forged'));
  const good = Array.from({ length: 30 }, () => ask('192.0.2.1', 'good'));
  expect((await Promise.all(flood)).filter((decision) => decision === false)).toHaveLength(5);
  expect(await Promise.all(good)).toEqual(good.map(() => true));
});
it('takes no more than it can verify in time', async () => {
  const verify = createVerifyQueue({ isWelcome: () => true, most: 4096 });
  const signature = signed('a');
  const decisions = await Promise.all(
    Array.from({ length: 5000 }, () => verify(from('192.0.2.1'), 'ES256', key.publicKey, 'a', signature)),
  );
  expect([
    decisions.filter((v) => v === true).length,
    decisions.filter((v) => v === 'overloaded').length,
  ]).toEqual([4096, 904]);
});

it('lets go of what is verified, also while there is always more', async () => {
  const verify = createVerifyQueue({ isWelcome: () => true, most: 4096 });
  const [TEXT, ASKED, WAITING] = [100_000, 800, 40];
  const heap = () => {
    held(); // collects
    return process.memoryUsage().heapUsed;
  };
  const before = heap();
  let asked = 0;
  let most = Infinity; // until it is measured
  // Forty wait at any time, more than are verified in one go: it is never empty.
  const client = async () => {
    while (asked < ASKED) {
      asked += 1;
      await verify(from('192.0.2.1'), 'ES256', key.publicKey, `${asked}${'x'.repeat(TEXT)}`, signed('a'));
      if (asked === ASKED - WAITING) most = heap() - before;
    }
  };
  await Promise.all(Array.from({ length: WAITING }, client));
  expect(most).toBeLessThan((ASKED / 4) * TEXT);
});

it('counts an ES384 signature as eleven of ES256', async () => {
  const verify = createVerifyQueue({ isWelcome: () => true, most: 100 });
  const decisions = await Promise.all(
    Array.from({ length: 20 }, () => verify(from('192.0.2.1'), 'ES384', key.publicKey, 'a', 'A'.repeat(128))),
  );
  expect(decisions.filter((decision) => decision !== 'overloaded')).toHaveLength(9);
});

it('lets networks take turns: whoever sends much waits behind itself', async () => {
  const verify = createVerifyQueue({ isWelcome: () => true, most: 4096 });
  const signature = signed('a');
  const order: string[] = [];
  const ask = (network: string) =>
    verify(from(network), 'ES256', key.publicKey, 'a', signature) as Promise<unknown>;
  const flood = Array.from({ length: 100 }, () => ask('198.51.100.9').then(() => order.push('flood')));
  const other = ask('192.0.2.1').then(() => order.push('other'));
  await Promise.all([...flood, other]);
  expect(order.indexOf('other')).toBeLessThan(3);
});

it('where there is no room, what came last of the network that has most goes', async () => {
  const verify = createVerifyQueue({ isWelcome: () => true, most: 100 });
  const signature = signed('a');
  const ask = (network: string) => verify(from(network), 'ES256', key.publicKey, 'a', signature);
  const greedy = Array.from({ length: 150 }, () => ask('198.51.100.9'));
  const others = Array.from({ length: 40 }, (_, n) => ask(`192.0.2.${n}`));
  expect(await Promise.all(others)).toEqual(others.map(() => true));
  const decisions = await Promise.all(greedy);
  expect(decisions.slice(0, 60)).toEqual(Array(60).fill(true));
  expect(decisions.slice(60)).toEqual(Array(90).fill('overloaded'));
});

it('does not look at a signature whose sender has nothing left when its turn comes', async () => {
  const verify = createVerifyQueue({ isWelcome: () => true, most: 4096 });
  let left = 20;
  const asker = { network: '192.0.2.1', isLimited: () => left <= 0 };
  const ask = async () => {
    const decision = await verify(asker, 'ES256', key.publicKey, 'a', signed('a'));
    if (decision === true) left -= 1;
    return decision;
  };
  const decisions = await Promise.all(Array.from({ length: 100 }, ask));
  // What is verified in one go is counted after it.
  expect(decisions.filter((decision) => decision === true).length).toBeLessThanOrEqual(32);
  expect(decisions.at(-1)).toBe('limited');
});
