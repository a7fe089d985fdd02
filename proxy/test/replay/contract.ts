import { randomBytes } from 'node:crypto';
import type { ReplayStore } from '../../src/replay/replay-store.js';

export interface Subject {
  readonly store: ReplayStore;
  /** Makes `seconds` pass for the store. */
  pass(seconds: number): Promise<void>;
  stop(): Promise<void>;
}

/** What every replay store must do. */
export function replayStoreContract(name: string, open: () => Promise<Subject>): void {
  describe(`the ${name} replay store`, () => {
    let subject: Subject;
    const key = () => randomBytes(32);
    beforeAll(async () => { subject = await open(); });
    afterAll(() => subject.stop());

    it('says first once, and seen from then on', async () => {
      const k = key();
      expect([await subject.store.claim(k, 60), await subject.store.claim(k, 60), await subject.store.claim(k, 60)]).toEqual(['first', 'seen', 'seen']);
    });
    it('tells keys apart that differ in one bit', async () => {
      const k = key();
      const near = Buffer.from(k);
      near[15]! ^= 1;
      expect([await subject.store.claim(k, 60), await subject.store.claim(near, 60)]).toEqual(['first', 'first']);
    });
    it('gives one of a hundred claims at once the first turn', async () => {
      const k = key();
      const turns = await Promise.all(Array.from({ length: 100 }, async () => subject.store.claim(k, 60)));
      expect(turns.filter((t) => t === 'first')).toHaveLength(1);
      expect(turns.filter((t) => t === 'seen')).toHaveLength(99);
    });
    it('remembers a key as long as asked, and not for ever', async () => {
      const k = key();
      expect(await subject.store.claim(k, 2)).toBe('first');
      await subject.pass(1.8);
      expect(await subject.store.claim(k, 2)).toBe('seen');
      await subject.pass(1.3);
      expect(await subject.store.claim(k, 2)).toBe('first');
    });
    it('is ready', () => {
      expect(subject.store.ready()).toBe(true);
    });
  });
}
