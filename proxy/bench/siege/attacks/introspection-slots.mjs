export default {
  name: 'introspection-slots',
  what: 'made-up opaque tokens, each new, from one address over 200 connections; the server takes 800 ms an answer',
  workers: [1, 2],
  introspection: true,
  /** The honest client's tokens are opaque as well, each new: it needs slots of the same kind. */
  opaqueVictim: true,
  async prepare(tools) {
    const { proof } = tools.caller();
    return Array.from({ length: 3_000 }, (_, n) => {
      const token = `made-up-${n}`;
      return tools.credentials({ token, proof: proof('POST', { token }) });
    });
  },
  async start(tools) {
    let sent = 0;
    await tools.over(200, async () => {
      const credentials = tools.ammunition[sent++ % tools.ammunition.length];
      await tools.exchange(tools.post(credentials, 'Content-Length: 2\r\n') + '{}');
      await new Promise((resolve) => setTimeout(resolve, 200));
    });
    return () => {};
  },
};
