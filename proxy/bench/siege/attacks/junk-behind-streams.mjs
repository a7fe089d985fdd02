import { tinyChunks } from '../tools.mjs';

const STREAMS = 24;

export default {
  name: 'junk-behind-streams',
  what: '24 event streams of one caller, twelve a second, behind each a POST of 66 000 chunks of one byte',
  async prepare(tools) {
    const { token, proof } = tools.caller();
    const streams = Array.from({ length: STREAMS }, () => ({ token, proof: proof('GET') }));
    return { streams, junk: [tools.head(undefined, 'Transfer-Encoding: chunked'), tinyChunks(66_000)] };
  },
  async start(tools) {
    const { streams, junk } = tools.ammunition;
    return tools.paced(12, async (n) => {
      if (n >= STREAMS) return;
      const socket = await tools.connect();
      socket.write(tools.get(streams[n]));
      for (const part of junk) socket.write(part);
      tools.count('requests');
    });
  },
};
