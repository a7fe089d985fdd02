const DEEP = Buffer.from(`${'['.repeat(2_000_000)}${']'.repeat(2_000_000)}`);
const WIDE = Buffer.from(
  `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[${'{},'.repeat(1_380_000)}{}]}`,
);

export default {
  name: 'deep-json',
  what: 'rules on the body: JSON two million levels deep, and wide beneath `params`, with sound proofs, four a second',
  rules: true,
  http2: true,
  async prepare(tools) {
    const { token, proof } = tools.caller();
    return Array.from({ length: 40 }, () => ({ token, proof: proof('POST') }));
  },
  async start(tools) {
    return tools.paced(4, (n) => {
      void tools.post(tools.ammunition[n % tools.ammunition.length], { body: n % 2 === 0 ? DEEP : WIDE });
    });
  },
};
