const [CONNECTIONS, ADDRESSES, AT_ONCE] = [9_000, 10, 250];

export default {
  name: 'idle-connections',
  what: '9 000 connections from ten addresses, each with the beginning of a request',
  async start(tools) {
    for (let opened = 0; opened < CONNECTIONS; opened += AT_ONCE) {
      const sockets = await Promise.allSettled(
        Array.from({ length: AT_ONCE }, (_, n) => tools.connect(`127.0.0.${20 + (n % ADDRESSES)}`)),
      );
      for (const { value } of sockets) value?.write('POST /mcp HTTP/1.1\r\nHost: gw.example\r\nX: ');
    }
    return () => {};
  },
};
