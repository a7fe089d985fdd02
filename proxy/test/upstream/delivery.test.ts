/** Whether a request that came to nothing may have reached its backend: whether its proof is used up depends on it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { backend, closeAll, closedPort, edge } from '../support/upstream-edge.js';

afterEach(closeAll);

it('says no where the connection was refused', async () => {
  const { ask } = await edge(await closedPort());
  expect(await ask().outcome).toMatchObject({
    kind: 'refused',
    mayHaveReachedBackend: false,
    denial: { reason: 'upstream_unreachable' },
  });
});

it('says no where the client left while its request waited for a connection', async () => {
  const { ask } = await edge(await backend(() => {}), { maxSockets: 1 });
  void ask();
  await sleep(50);
  const { outcome, leave } = ask();
  await sleep(50);
  leave();
  expect(await outcome).toMatchObject({ status: 499, mayHaveReachedBackend: false });
});

it('says yes where the backend took the connection and said nothing', async () => {
  const { ask } = await edge(await backend((socket) => socket.once('data', () => socket.destroy())));
  expect(await ask().outcome).toMatchObject({ kind: 'refused', mayHaveReachedBackend: true });
});

it('says yes of a request on a connection that was in use before', async () => {
  let requests = 0;
  const { ask } = await edge(
    await backend((socket) =>
      socket.on('data', () => {
        requests += 1;
        if (requests === 1) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
        else socket.destroy();
      }),
    ),
  );
  expect(await ask().outcome).toMatchObject({ status: 200, mayHaveReachedBackend: true });
  await sleep(20);
  expect(await ask().outcome).toMatchObject({ kind: 'refused', mayHaveReachedBackend: true });
});
