const [CONNECTIONS, PROOFS, BURST_MS] = [50, 1_500, 1_000];

export default {
  name: 'dear-signatures',
  what: '500 sound ES384 proofs a second of one caller, each second at once',
  workers: [1, 2],
  async prepare(tools) {
    const { token, proof } = tools.caller({ alg: 'ES384' });
    return Array.from(
      { length: PROOFS },
      () =>
        tools.post(tools.credentials({ token, proof: proof('POST') }), 'Content-Length: 46\r\n') +
        '{"jsonrpc":"2.0","id":1,"method":"tools/list"}',
    );
  },
  async start(tools) {
    const sockets = await Promise.all(Array.from({ length: CONNECTIONS }, () => tools.connect()));
    let sent = 0;
    const burst = () => {
      for (let n = 0; n < 500 && sent < PROOFS; n++) {
        tools.count('requests');
        sockets[sent % CONNECTIONS].write(tools.ammunition[sent++]);
      }
    };
    burst();
    const timer = setInterval(burst, BURST_MS);
    return () => clearInterval(timer);
  },
};
