const [SESSIONS, STREAMS] = [11, 95];

export default {
  name: 'zero-window',
  what: '11 HTTP/2 connections with a window of zero and 95 requests each, whose answers they never take',
  workers: [1, 2],
  http1: false,
  http2: true,
  async prepare(tools) {
    return Array.from({ length: SESSIONS }, (_, n) => {
      const { token, proof } = tools.caller({ sub: `attacker-${n}` });
      return Array.from({ length: STREAMS }, () => ({
        ':method': 'GET',
        ':path': '/mcp?big',
        ':authority': 'gw.example',
        authorization: `DPoP ${token}`,
        dpop: proof('GET'),
      }));
    });
  },
  async start(tools) {
    for (const requests of tools.ammunition) {
      const session = tools.session({ initialWindowSize: 0 });
      await new Promise((resolve, reject) => session.once('connect', resolve).once('error', reject));
      for (const headers of requests) {
        const stream = session.request(headers, { endStream: true });
        stream.on('response', (head) => tools.count(String(head[':status']))).on('error', () => {});
        tools.count('requests');
      }
    }
    return () => {};
  },
};
