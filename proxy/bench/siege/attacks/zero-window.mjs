const [SESSIONS, STREAMS, PER_SECOND] = [11, 44, 97];

export default {
  name: 'zero-window',
  what:
    '11 HTTP/2 connections with a window of zero and 44 requests each, 97 a second, whose answers of 64 KiB ' +
    'they never take',
  siegeMs: 5_000,
  http1: false,
  http2: true,
  async prepare(tools) {
    return Array.from({ length: SESSIONS }, (_, n) => {
      const { token, proof } = tools.caller({ sub: `attacker-${n}` });
      return Array.from({ length: STREAMS }, () =>
        tools.http2Fields({ token, proof: proof('GET') }, { path: '/mcp?big', method: 'GET' }),
      );
    });
  },
  async start(tools) {
    const sessions = await Promise.all(
      Array.from({ length: SESSIONS }, () => tools.session({ initialWindowSize: 0 })),
    );
    return tools.paced(PER_SECOND, (n) => {
      const session = sessions[n % SESSIONS];
      const fields = tools.ammunition[n % SESSIONS][Math.floor(n / SESSIONS)];
      if (fields !== undefined && !session.closed && !session.destroyed) tools.stream(session, fields);
    });
  },
};
