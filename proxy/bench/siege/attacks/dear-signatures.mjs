import { MESSAGE } from '../tools.mjs';

const [CONNECTIONS, PROOFS, PER_SECOND] = [50, 1_500, 500];

export default {
  name: 'dear-signatures',
  what: '500 sound ES384 proofs a second of one caller',
  http2: true,
  async prepare(tools) {
    const { token, proof } = tools.caller({ alg: 'ES384' });
    return Array.from({ length: PROOFS }, () => ({ token, proof: proof('POST') }));
  },
  async start(tools) {
    const send = tools.target.http2 ? await overHttp2(tools) : await overHttp1(tools);
    return tools.paced(PER_SECOND, (n) => {
      if (n >= PROOFS) return;
      tools.count('requests');
      send(tools.ammunition[n], n);
    });
  },
};

async function overHttp1(tools) {
  const sockets = await Promise.all(Array.from({ length: CONNECTIONS }, () => tools.connect()));
  const framing = `Content-Length: ${MESSAGE.length}`;
  return (one, n) => sockets[n % CONNECTIONS].write(tools.head(one, framing) + MESSAGE);
}

async function overHttp2(tools) {
  const sessions = await Promise.all(Array.from({ length: CONNECTIONS }, () => tools.session()));
  return (one, n) => {
    const session = sessions[n % CONNECTIONS];
    if (session.destroyed || session.closed) return;
    const stream = session.request(tools.http2Fields(one, { path: '/mcp' }));
    stream.on('response', (head) => tools.count(String(head[':status']))).on('error', () => {});
    stream.end(MESSAGE);
    stream.resume();
  };
}
