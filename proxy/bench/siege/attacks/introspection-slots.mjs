const EMPTY = Buffer.from('{}');

export default {
  name: 'introspection-slots',
  what: 'made-up opaque tokens, each new, from one address, 400 a second; the server takes 800 ms an answer',
  introspection: true,
  /** The honest client's tokens are opaque as well, each new: it needs slots of the same kind. */
  opaqueVictim: true,
  async prepare(tools) {
    const { proof } = tools.caller();
    return Array.from({ length: 2_000 }, (_, n) => {
      const token = `made-up-${n}`;
      return { token, proof: proof('POST', { token }) };
    });
  },
  async start(tools) {
    return tools.paced(400, (n) => {
      void tools.post(tools.ammunition[n % tools.ammunition.length], { body: EMPTY });
    });
  },
};
