import { tinyChunks } from '../tools.mjs';

const REQUESTS = 20;

export default {
  name: 'tiny-chunks-forwarded',
  what:
    '20 sound POSTs of one caller, ten a second, in chunks of one byte (1.18 MB each; HTTP/2: 60 000 frames), ' +
    'to a backend that does not read',
  http2: true,
  async prepare(tools) {
    const { token, proof } = tools.caller();
    const all = Array.from({ length: REQUESTS }, () => ({ token, proof: proof('POST') }));
    return { all, chunks: tinyChunks(1_180_000) };
  },
  async start(tools) {
    const { all, chunks } = tools.ammunition;
    return tools.paced(10, (n) => {
      if (n < REQUESTS) void tools.postTiny(all[n], { chunks, query: '?unread' });
    });
  },
};
