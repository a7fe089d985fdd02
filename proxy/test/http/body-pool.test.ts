/** Who has to make room in the memory of bodies that are read as a whole. */
import { createBodyPool } from '../../src/http/body-pool.js';
import type { Config } from '../../src/config/index.js';

const MIB = 2 ** 20;
const LIMITS = { maxBodyBytes: 4 * MIB } as Config['limits'];

it('is never one that is whole: it may be on its way to the backend', () => {
  const pool = createBodyPool();
  const ended: string[] = [];
  const lease = (name: string) => {
    const own = pool.lease({ network: 'n', caller: undefined }, LIMITS, () => {
      ended.push(name);
      own.release();
    });
    return own;
  };
  const whole = lease('whole');
  whole.grow(6 * MIB);
  whole.settle();
  lease('read').grow(4 * MIB);
  expect(ended).toEqual(['read']);
});
