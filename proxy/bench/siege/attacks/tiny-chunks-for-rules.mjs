import { tinyChunks } from '../tools.mjs';

export default {
  name: 'tiny-chunks-for-rules',
  what: 'rules on the body: bodies of 1.18 MB in chunks of one byte, with one used proof, four at a time',
  workers: [1, 2],
  rules: true,
  async prepare(tools) {
    return { credentials: await tools.spentProof(), body: tinyChunks(1_180_000) };
  },
  async start(tools) {
    const { credentials, body } = tools.ammunition;
    const head = tools.post(credentials, 'Transfer-Encoding: chunked\r\n');
    await tools.over(4, () => tools.exchange([head, body]));
    return () => {};
  },
};
