import { h2Headers, h2Preface, h2TinyData, tinyChunks } from '../tools.mjs';

const REQUESTS = 20;
/** Of one stream: less than the window that it begins with. */
const FRAMES = 60_000;

export default {
  name: 'tiny-chunks-forwarded',
  what: '20 sound POSTs of one caller in chunks of one byte (HTTP/1.1: 1.18 MB each), to a backend that does not read',
  workers: [1, 2],
  http2: true,
  async prepare(tools) {
    const { token, proof } = tools.caller();
    const all = Array.from({ length: REQUESTS }, () => ({ token, proof: proof('POST') }));
    return { all, body: tinyChunks(1_180_000) };
  },
  async start(tools) {
    const send = tools.target.http2 ? overHttp2 : overHttp1;
    for (const one of tools.ammunition.all) await send(tools, one);
    return () => {};
  },
};

async function overHttp1(tools, one) {
  const head = tools.post(tools.credentials(one), 'Transfer-Encoding: chunked\r\n', '?unread');
  void tools.exchange([head, tools.ammunition.body]);
}

async function overHttp2(tools, { token, proof }) {
  const socket = await tools.connect();
  const fields = [
    [':method', 'POST'],
    [':scheme', 'https'],
    [':path', '/mcp?unread'],
    [':authority', 'gw.example'],
    ['content-type', 'application/json'],
    ['authorization', `DPoP ${token}`],
    ['dpop', proof],
  ];
  tools.count('requests');
  socket.write(Buffer.concat([h2Preface, h2Headers(1, fields), h2TinyData(1, FRAMES)]));
}
