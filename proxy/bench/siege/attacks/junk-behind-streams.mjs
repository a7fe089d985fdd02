import { tinyChunks } from '../tools.mjs';

export default {
  name: 'junk-behind-streams',
  what: '24 event streams of one caller, behind each a POST of 66 000 chunks of one byte',
  workers: [1, 2],
  async prepare(tools) {
    const { token, proof } = tools.caller();
    const streams = Array.from({ length: 24 }, () => tools.credentials({ token, proof: proof('GET') }));
    return { streams, junk: [tools.post('', 'Transfer-Encoding: chunked\r\n'), tinyChunks(66_000)] };
  },
  async start(tools) {
    const { streams, junk } = tools.ammunition;
    for (const credentials of streams) {
      const socket = await tools.connect();
      socket.write(tools.get(credentials));
      for (const part of junk) socket.write(part);
      tools.count('requests');
    }
    return () => {};
  },
};
