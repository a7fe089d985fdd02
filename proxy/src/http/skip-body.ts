import type { IncomingMessage } from 'node:http';

/** The callbacks of node:http's parser are its properties, by number. */
type Parser = Record<string, unknown>;
const ON_BODY = 'parserOnBody';

/**
 * From now on nothing that is left of this body comes out of node:http's parser, which else calls back for each
 * chunk that it finds in what it has read, however small, at a cost of some 3 µs each: 30 ms for one read of 64
 * KiB. It parses on to the end of the body, and says that as before.
 * @returns ends it; must be called at the end of the body, since parsers are used again for other connections
 */
export function skipBody({ socket }: IncomingMessage): () => void {
  const { parser } = socket as typeof socket & { parser?: Parser | null };
  const key = Object.keys(parser ?? {}).find((name) => isOnBody(parser![name]));
  if (parser == null || key === undefined) return () => {};
  const onBody = parser[key];
  parser[key] = undefined;
  const restore = () => {
    socket.off('close', restore);
    parser[key] = onBody;
  };
  // node:http gives the parser away when it hears of this.
  socket.prependListener('close', restore);
  return restore;
}

const isOnBody = (callback: unknown): boolean => typeof callback === 'function' && callback.name === ON_BODY;
