const [CALLERS, EACH, PER_SECOND] = [12, 95, 3];

export default {
  name: 'standing-streams',
  what: '1 140 event streams of twelve callers at two addresses, 95 at once, more than a backend has connections',
  siegeMs: 4_000,
  http2: true,
  async prepare(tools) {
    return Array.from({ length: CALLERS }, (_, n) => {
      const { token, proof } = tools.caller({ sub: `attacker-${n}` });
      return Array.from({ length: EACH }, () => ({ token, proof: proof('GET') }));
    });
  },
  async start(tools) {
    return tools.paced(PER_SECOND, (n) => {
      if (n < CALLERS) void tools.streams(tools.ammunition[n], `127.0.0.${2 + (n % 2)}`);
    });
  },
};
