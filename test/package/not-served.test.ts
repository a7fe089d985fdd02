/** Which words of package managers let a test of a language be skipped. */
import { NOT_SERVED } from '../languages/bindings';

it.each([
  'ERROR: No matching distribution found for cdk8s==2.70.0',
  'ERROR: HTTP error 404 while getting https://registry.example/a.whl',
  '[ERROR] Could not transfer artifact a:b:jar:1 from/to central: status code: 503, reason phrase: Service Unavailable',
  '[ERROR] Could not find artifact a:b:jar:1 in central',
  'go: reading https://proxy.example/a/@v/list: 403 Forbidden',
  'dial tcp: lookup proxy.example: no such host',
])('is not served: %s', (said) => {
  expect(said).toMatch(NOT_SERVED);
});
it.each([
  '[ERROR] Main.java:[404,12] cannot find symbol',
  'error: Could not find or load main class Main',
  'main.go:500:2: package github.com/a/b is not in std',
  'module a@latest found (v1.2.3), but does not contain package a/b: not found in its sources',
  "error: could not resolve the types of 'cdk8s-agentgateway'",
  'ERROR: THESE PACKAGES DO NOT MATCH THE HASHES',
])('is a failure: %s', (said) => {
  expect(said).not.toMatch(NOT_SERVED);
});
