import { sleep } from '../../bed.mjs';

const [AT_ONCE, WAIT_MS] = [50, 2_000];

export default {
  name: 'most-streams',
  what: 'as many event streams as the pod has connections, all of them open while it is watched',
  mostStreams: true,
  /** All are open before the honest client is watched. */
  opensFirst: true,
  async prepare(tools) {
    const { callers, each } = tools.target.streams;
    return Array.from({ length: callers }, (_, n) => {
      const { token, proof } = tools.caller({ sub: `attacker-${n}` });
      return Array.from({ length: each }, () => ({ token, proof: proof('GET') }));
    });
  },
  async start(tools) {
    let address = 0;
    for (const some of tools.ammunition) {
      for (let n = 0; n < some.length; n += AT_ONCE)
        await tools.streams(some.slice(n, n + AT_ONCE), `127.0.0.${20 + (address++ % 10)}`);
      await answered(tools);
    }
    return () => {};
  },
};

/** Until nearly all have an answer, so that no queue is in the way. */
async function answered({ tally }) {
  const began = performance.now();
  const answers = () => Object.keys(tally).reduce((sum, key) => sum + (Number(key) > 0 ? tally[key] : 0), 0);
  while (answers() < tally.requests * 0.95 && performance.now() - began < WAIT_MS) await sleep(5);
}
