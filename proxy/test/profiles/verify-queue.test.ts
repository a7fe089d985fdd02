import { sign } from 'node:crypto';
import { createVerifyQueue } from '../../src/profiles/verify-queue.js';
import { ec } from '../support/mint.js';

const key = ec();
const signed = (text: string) => sign('sha256', Buffer.from(text), { key: key.privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url');

it('tells each of many requests at once about its own signature', async () => {
  const verify = createVerifyQueue();
  // More than are verified in one go, every third by another text's signature.
  const asked = Array.from({ length: 200 }, (_, n) => ({ text: `text ${n}`, signature: signed(n % 3 === 0 ? 'another' : `text ${n}`) }));
  const told = await Promise.all(asked.map(({ text, signature }) => verify('ES256', key.publicKey, text, signature)));
  expect(told).toEqual(asked.map((_, n) => n % 3 !== 0));
});

it('goes on after it was empty, and lets other events in between', async () => {
  const verify = createVerifyQueue();
  const signature = signed('a');
  expect(await verify('ES256', key.publicKey, 'a', signature)).toBe(true);
  let between = 0;
  const count = () => { between += 1; if (between < 50) setImmediate(count); };
  setImmediate(count);
  const many = Array.from({ length: 130 }, () => verify('ES256', key.publicKey, 'a', signature));
  await many[0];
  expect(between).toBeLessThan(3);
  await Promise.all(many);
  expect(between).toBeGreaterThanOrEqual(2);
  expect(await verify('ES256', key.publicKey, 'b', signature)).toBe(false);
});
