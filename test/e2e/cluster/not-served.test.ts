/** What go says of modules: why a suite may be skipped, and why it may not. */
import { isNotServed } from '../support/go-program.js';

it.each([
  'go: example.com/a@v1.2.3: reading https://proxy.example/example.com/a/@v/v1.2.3.mod: 404 Not Found',
  'example.com/a@v1.2.3: reading https://proxy.example/example.com/a/@v/v1.2.3.zip: 403 Forbidden',
  'Get "https://proxy.example/a": dial tcp: lookup proxy.example: no such host',
  'go: download go1.99.0 for linux/amd64: toolchain not available',
])('a registry does not serve: %s', (said) => {
  expect(isNotServed(said)).toBe(true);
});
it.each([
  'missing go.sum entry for module providing package example.com/a; to add:\n\tgo mod download example.com/a',
  'verifying example.com/a@v1.2.3: checksum mismatch\n\tdownloaded: h1:404=\n\tgo.sum: h1:500=\nSECURITY ERROR',
  'main.go:500:2: no required module provides package example.com/b; to add it:\n\tgo get example.com/b',
  'go: errors parsing go.mod:\ngo.mod:5: require example.com/a: version "v99.0.0" invalid',
])('is a failure: %s', (said) => {
  expect(isNotServed(said)).toBe(false);
});
