const LENGTH = 4 * 2 ** 20;

export default {
  name: 'stalled-bodies',
  what: 'rules on the body: sound proofs, each with 4 MiB but for 6 bytes that do not come, eight a second',
  rules: true,
  http2: true,
  async prepare(tools) {
    const { token, proof } = tools.caller();
    const all = Array.from({ length: 60 }, () => ({ token, proof: proof('POST') }));
    return { all, body: Buffer.alloc(LENGTH - 6, 0x20) };
  },
  async start(tools) {
    const { all, body } = tools.ammunition;
    return tools.paced(8, (n) => void tools.post(all[n % all.length], { length: LENGTH, body }));
  },
};
