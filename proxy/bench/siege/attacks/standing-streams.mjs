const [CALLERS, EACH] = [12, 95];

export default {
  name: 'standing-streams',
  what: '1 140 event streams of twelve callers at two addresses, more than a backend has connections',
  workers: [1, 2],
  async prepare(tools) {
    return Array.from({ length: CALLERS }, (_, n) => {
      const { token, proof } = tools.caller({ sub: `attacker-${n}` });
      return Array.from({ length: EACH }, () => tools.credentials({ token, proof: proof('GET') }));
    });
  },
  async start(tools) {
    let opened = 0;
    for (const some of tools.ammunition) {
      const sockets = await Promise.all(some.map(() => tools.connect(`127.0.0.${2 + (opened++ % 2)}`)));
      sockets.forEach((socket, i) => socket.write(tools.get(some[i])));
      tools.count('requests');
    }
    return () => {};
  },
};
