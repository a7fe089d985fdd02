const DEEP = Buffer.from(`${'['.repeat(2_000_000)}${']'.repeat(2_000_000)}`);
const WIDE = Buffer.from(
  `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[${'{},'.repeat(1_380_000)}{}]}`,
);

export default {
  name: 'deep-json',
  what: 'rules on the body: JSON two million levels deep, and wide beneath `params`, with one used proof, four a second',
  workers: [1, 2],
  rules: true,
  async prepare(tools) {
    return { credentials: await tools.spentProof() };
  },
  async start(tools) {
    let sent = 0;
    const timer = setInterval(() => {
      const body = sent++ % 2 === 0 ? DEEP : WIDE;
      const head = tools.post(tools.ammunition.credentials, `Content-Length: ${body.length}\r\n`);
      void tools.exchange([head, body]);
    }, 250);
    return () => clearInterval(timer);
  },
};
