import { tinyChunks } from '../tools.mjs';

export default {
  name: 'tiny-chunks-for-rules',
  what:
    'rules on the body: sound proofs, bodies of 1.18 MB in chunks of one byte (HTTP/2: 60 000 frames), four a ' +
    'second',
  rules: true,
  http2: true,
  async prepare(tools) {
    const { token, proof } = tools.caller();
    const all = Array.from({ length: 40 }, () => ({ token, proof: proof('POST') }));
    return { all, chunks: tinyChunks(1_180_000) };
  },
  async start(tools) {
    const { all, chunks } = tools.ammunition;
    return tools.paced(4, (n) => void tools.postTiny(all[n % all.length], { chunks }));
  },
};
