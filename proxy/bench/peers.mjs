// What somebody would put together from well-known parts to check DPoP in front of a backend, each its own
// process: `express|fastify PORT BACKEND ADMIN JWKS_URL AUDIENCE`. Set up as their own pages show. Neither
// remembers a proof: what they do is less than what the gateway does.
import http from 'node:http';

const [role, port, backend, admin, jwksUri, audience] = process.argv.slice(2);
const target = `http://127.0.0.1:${backend}`;
const issuer = 'https://as.example';
/** Proofs of the benchmark are made up to this much ahead of now. */
const LEEWAY_SECONDS = 60;
const listen = { express: throughExpress, fastify: throughFastify }[role];

async function throughExpress() {
  const { default: express } = await import('express');
  const { auth } = await import('express-oauth2-jwt-bearer');
  const { createProxyMiddleware } = await import('http-proxy-middleware');
  const app = express();
  app.disable('x-powered-by');
  app.use(
    auth({
      issuer,
      jwksUri,
      audience,
      tokenSigningAlg: 'RS256',
      dpop: { enabled: true, required: true, iatOffset: 300, iatLeeway: LEEWAY_SECONDS },
    }),
  );
  app.use(createProxyMiddleware({ target }));
  app.use((error, _request, response, _next) => response.status(error.status ?? 500).end());
  app.listen(Number(port), '127.0.0.1');
}

async function throughFastify() {
  const oauth = await import('oauth4webapi');
  const { default: Fastify } = await import('fastify');
  const { default: proxy } = await import('@fastify/http-proxy');
  const as = { issuer, jwks_uri: jwksUri };
  const app = Fastify({ logger: false, keepAliveTimeout: 65_000 });
  await app.register(proxy, {
    upstream: target,
    preHandler: async (request, reply) => {
      try {
        const asked = new Request(`http://${request.headers.host}${request.url}`, {
          method: request.method,
          headers: request.headers,
        });
        await oauth.validateJwtAccessToken(as, asked, audience, {
          requireDPoP: true,
          [oauth.allowInsecureRequests]: true,
          [oauth.clockTolerance]: LEEWAY_SECONDS,
        });
      } catch {
        return reply.code(401).send({ error: 'invalid_dpop_proof' });
      }
    },
  });
  await app.listen({ port: Number(port), host: '127.0.0.1' });
}

await listen();
http
  .createServer((_, response) => {
    const { user, system } = process.cpuUsage();
    response.end(String((user + system) / 1e6));
  })
  .listen(Number(admin), '127.0.0.1');
