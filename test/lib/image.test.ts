import { Image } from '../../lib';

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;

describe('Image', () => {
  it('is a reference with a digest', () => {
    expect(Image.fromDigest(`registry.example:5000/a/b:1.2@${digest}`).reference).toBe(
      `registry.example:5000/a/b:1.2@${digest}`,
    );
    expect(Image.of({ repository: 'localhost/node', tag: '24', digest }).reference).toBe(
      `localhost/node:24@${digest}`,
    );
  });
  it.each([
    [
      'node:24',
      'image: must be pinned by digest (repository:tag@sha256:<64 hex>), because a tag can be moved, got ' +
        '"node:24"; run "crane digest node:24" and append "@" and what it prints, or say ' +
        'Image.unpinned(reference, reason)',
    ],
    [`node:${digest}`, 'a digest stands after "@", not after ":"'],
    [`a.example/node@${digest}0`, 'image.digest: must be "sha256:" and 64 lower-case hexadecimal digits'],
    [`node:24@${digest}`, 'got "node"; did you mean "docker.io/library/node"?'],
    [`library/node:24@${digest}`, 'got "library/node"; did you mean "docker.io/library/node"?'],
    [`Node@${digest}`, 'image.repository: must be a lower-case registry path'],
  ])('refuses %s', (reference, message) => {
    expect(() => Image.fromDigest(reference)).toThrow(message);
  });
  it('can be unpinned for a reason, and for none it cannot', () => {
    const { reference } = Image.unpinned('docker.io/library/node:24', 'a test cluster');
    expect(reference).toBe('docker.io/library/node:24');
    expect(() => Image.unpinned('node:24', 'a test cluster')).toThrow(
      'image: must begin with its registry: container runtimes refuse short names or guess, got "node:24"; ' +
        'did you mean "docker.io/library/node:24"?',
    );
    expect(() => Image.unpinned('docker.io/library/node:24', '')).toThrow(
      'reason: must say in at least 10 characters why this image is not pinned',
    );
  });
});
