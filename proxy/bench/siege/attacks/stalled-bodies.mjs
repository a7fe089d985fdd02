const LENGTH = 4 * 2 ** 20;

export default {
  name: 'stalled-bodies',
  what: 'rules on the body: one used proof in 8 requests, each 4 MiB but for 6 bytes that do not come',
  workers: [1, 2],
  rules: true,
  async prepare(tools) {
    return { credentials: await tools.spentProof(), body: Buffer.alloc(LENGTH - 6, 0x20) };
  },
  async start(tools) {
    const { credentials, body } = tools.ammunition;
    await tools.over(8, () =>
      tools.exchange([tools.post(credentials, `Content-Length: ${LENGTH}\r\n`), body]),
    );
    return () => {};
  },
};
