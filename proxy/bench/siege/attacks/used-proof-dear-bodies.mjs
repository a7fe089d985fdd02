const BODY = Buffer.from(`[${'{},'.repeat(1_390_000)}{}]`);

export default {
  name: 'used-proof-dear-bodies',
  what: 'rules on the body: 4.2 MB of `[{},{},...]` with one used proof, four a second',
  rules: true,
  http2: true,
  prepare: (tools) => tools.spentProof(),
  async start(tools) {
    return tools.paced(4, () => void tools.post(tools.ammunition, { body: BODY }));
  },
};
