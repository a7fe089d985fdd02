const BODY = Buffer.from(`[${'{},'.repeat(1_390_000)}{}]`);

export default {
  name: 'used-proof-dear-bodies',
  what: 'rules on the body: 4.2 MB of `[{},{},...]` with one used proof, three at a time, four a second',
  workers: [1, 2],
  rules: true,
  async prepare(tools) {
    return { credentials: await tools.spentProof() };
  },
  async start(tools) {
    const head = tools.post(tools.ammunition.credentials, `Content-Length: ${BODY.length}\r\n`);
    const timer = setInterval(() => void tools.exchange([head, BODY]), 250);
    return () => clearInterval(timer);
  },
};
