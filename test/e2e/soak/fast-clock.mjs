// Loaded into a gateway before its code (`node --expose-gc --import`): its wall clock runs faster, and it says
// what it holds when it is asked. Timers, and what is measured, stay as they are.
const faster = Number(process.env.SOAK_FASTER);
const began = Number(process.env.SOAK_BEGAN_MS);
const realNow = Date.now;
Date.now = () => began + (realNow() - began) * faster;

process.on('message', () => {
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, external } = process.memoryUsage();
  process.send({ heapUsed, external, active: process.getActiveResourcesInfo().sort() });
});
process.channel.unref(); // it must not keep alive what wants to end
