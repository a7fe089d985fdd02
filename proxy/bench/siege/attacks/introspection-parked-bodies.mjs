import { tinyChunks } from '../tools.mjs';

export default {
  name: 'introspection-parked-bodies',
  what: 'bodies parked in 100 connections with one made-up opaque token, while its server is asked',
  workers: [1],
  introspection: true,
  async prepare(tools) {
    const { token, proof } = tools.caller({ opaque: () => 'made-up' });
    const heads = Array.from({ length: 400 }, () => tools.credentials({ token, proof: proof('POST') }));
    return { heads, body: tinyChunks(100_000) };
  },
  async start(tools) {
    const { heads, body } = tools.ammunition;
    let sent = 0;
    await tools.over(100, () =>
      tools.exchange([tools.post(heads[sent++ % heads.length], 'Transfer-Encoding: chunked\r\n'), body]),
    );
    return () => {};
  },
};
