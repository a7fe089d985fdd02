import { Histogram, Registry } from 'prom-client';
import fc from 'fast-check';
import { RequestObservations } from '../../src/observe/request-observations.js';

/** Quarters, whose sum is the same in any order. */
const quarters = (min: number, max: number) => fc.integer({ min: min * 4, max: max * 4 }).map((n) => n / 4);
const anyRequest = fc.record({
  route: fc.constantFrom('mcp', 'other'),
  status: fc.constantFrom(200, 401),
  seconds: quarters(0, 20),
  ages: fc.record(
    { proofAgeSeconds: quarters(-20, 20), tokenAgeSeconds: quarters(0, 20) },
    { requiredKeys: [] },
  ),
});

function histograms() {
  const registry = new Registry();
  const options = { help: 'Of a test.', buckets: [-5, 0, 1, 5, 15], registers: [registry] };
  return {
    registry,
    duration: new Histogram({ ...options, name: 'duration', labelNames: ['route', 'status'] }),
    proofAge: new Histogram({ ...options, name: 'proof_age' }),
    tokenAge: new Histogram({ ...options, name: 'token_age' }),
  };
}

it('a scrape says of any requests what prom-client would if it had seen each when it came', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyRequest, { maxLength: 300 }), fc.nat(300), async (requests, scrapeAt) => {
      const gathered = histograms();
      const observations = new RequestObservations(gathered);
      const { registry, duration, proofAge, tokenAge } = histograms();
      for (const [i, { route, status, seconds, ages }] of requests.entries()) {
        observations.add(route, status, seconds, ages);
        duration.labels(route, String(status)).observe(seconds);
        if (ages.proofAgeSeconds !== undefined) proofAge.observe(ages.proofAgeSeconds);
        if (ages.tokenAgeSeconds !== undefined) tokenAge.observe(ages.tokenAgeSeconds);
        if (i === scrapeAt) observations.handOver();
      }
      observations.handOver();
      expect(await gathered.registry.metrics()).toBe(await registry.metrics());
    }),
  );
});
