import { setImmediate as nextTurn } from 'node:timers/promises';
import { oneAtATime } from '../src/one-at-a-time.js';

it('begins what it is given when the one before is over, however that ended', async () => {
  const inTurn = oneAtATime();
  const said: string[] = [];
  const run = (name: string, fails: boolean) =>
    inTurn(async () => {
      said.push(`${name} begins`);
      await nextTurn();
      said.push(`${name} ends`);
      if (fails) throw new Error(name);
      return name;
    });
  const asked = [run('first', false), run('second', true), run('third', false)];
  const [first, second, third] = await Promise.allSettled(asked);
  expect([first, third]).toEqual([
    { status: 'fulfilled', value: 'first' },
    { status: 'fulfilled', value: 'third' },
  ]);
  expect(second).toMatchObject({ status: 'rejected', reason: { message: 'second' } });
  expect(said).toEqual(['first', 'second', 'third'].flatMap((name) => [`${name} begins`, `${name} ends`]));
});
