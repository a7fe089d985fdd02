import { tinyChunks } from '../tools.mjs';

export default {
  name: 'introspection-parked-bodies',
  what:
    'bodies of 100 000 chunks of one byte (HTTP/2: 60 000 frames) behind one made-up opaque token while its ' +
    'server is asked, 50 connections a second',
  introspection: true,
  http2: true,
  async prepare(tools) {
    const { token, proof } = tools.caller({ opaque: () => 'made-up' });
    const all = Array.from({ length: 400 }, () => ({ token, proof: proof('POST') }));
    return { all, chunks: tinyChunks(100_000) };
  },
  async start(tools) {
    const { all, chunks } = tools.ammunition;
    return tools.paced(50, (n) => void tools.postTiny(all[n % all.length], { chunks }));
  },
};
