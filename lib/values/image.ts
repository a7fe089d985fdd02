import { optional, Shape, struct, TEXT } from '../support/kinds';
import { checkText, refuse } from '../support/text';

const DIGEST = /^sha256:[0-9a-f]{64}$/;
const REPOSITORY = /^[a-z0-9]+([._-]+[a-z0-9]+)*(:\d{1,5})?(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

/** Parts of a pinned image reference. */
export interface ImageOptions {
  /** Registry and path, for example `ghcr.io/agentgateway/agentgateway`; `docker.io/library/node`, not `node`. */
  readonly repository: string;

  /**
   * Tag, for readers only: the digest decides what runs.
   *
   * @default - no tag
   */
  readonly tag?: string;

  /** `sha256:` and 64 lower-case hexadecimal digits. */
  readonly digest: string;
}

const SHAPE: Shape<ImageOptions> = { repository: TEXT, tag: optional(TEXT), digest: TEXT };
const OPTIONS = struct('ImageOptions', SHAPE);

/**
 * A container image that cannot change under a running gateway.
 *
 * @see https://kubernetes.io/docs/concepts/containers/images/#image-names
 */
export class Image {
  /**
   * Image pinned by digest, as one string: `repository:tag@sha256:<64 hex>`.
   *
   * Refuses a reference without a digest. Does not ask the registry whether the digest exists.
   */
  public static fromDigest(reference: string): Image {
    checkText('image', reference);
    const [name, digest, ...rest] = reference.split('@');
    if (digest === undefined || rest.length > 0) {
      const afterColon = /^(.*):(sha256:[0-9a-f]*)$/.exec(name);
      refuse({
        where: 'image',
        want: 'must be pinned by digest (repository:tag@sha256:<64 hex>), because a tag can be moved',
        got: reference,
        next: afterColon
          ? `a digest stands after "@", not after ":"; did you mean "${afterColon[1]}@${afterColon[2]}"?`
          : `run "crane digest ${name}" and append "@" and what it prints, or say Image.unpinned(reference, reason)`,
      });
    }
    const colon = name.lastIndexOf(':');
    const hasTag = colon > name.lastIndexOf('/');
    return Image.of({
      repository: hasTag ? name.slice(0, colon) : name,
      tag: hasTag ? name.slice(colon + 1) : undefined,
      digest,
    });
  }

  /** Image pinned by digest, from its parts. */
  public static of(options: ImageOptions): Image {
    OPTIONS.check('image', options);
    const { repository, tag, digest } = options;
    if (!REPOSITORY.test(repository)) {
      refuse({
        where: 'image.repository',
        want: 'must be a lower-case registry path without tag',
        got: repository,
      });
    }
    checkRegistry('image.repository', repository);
    if (tag !== undefined && !TAG.test(tag)) {
      refuse({
        where: 'image.tag',
        want: 'must be a tag of at most 128 letters, digits, "_", "." and "-"',
        got: tag,
        next: 'a digest goes into "digest"',
      });
    }
    if (!DIGEST.test(digest)) {
      refuse({
        where: 'image.digest',
        want: 'must be "sha256:" and 64 lower-case hexadecimal digits',
        got: digest,
        next: `run "crane digest ${repository}${tag === undefined ? '' : `:${tag}`}"`,
      });
    }
    return new Image(`${repository}${tag === undefined ? '' : `:${tag}`}@${digest}`);
  }

  /**
   * WEAKENS the gateway: whoever can push to the registry decides what runs. The reason is written on the Deployment
   * (annotation `cdk8s-agentgateway/unpinned-image`), so that a review sees it.
   */
  public static unpinned(reference: string, reason: string): Image {
    checkText('image', reference);
    checkText('reason', reason);
    if (reference.trim() === '') refuse({ where: 'image', want: 'must not be empty', got: reference });
    checkRegistry('image', reference);
    if (reason.trim().length < 10) {
      refuse({
        where: 'reason',
        want: 'must say in at least 10 characters why this image is not pinned',
        got: reason,
      });
    }
    return new Image(reference, reason);
  }

  /** What stands in the manifest. */
  public readonly reference: string;

  /**
   * Why the image is not pinned; absent for a pinned one.
   *
   * @default - the image is pinned
   */
  public readonly unpinnedReason?: string;

  private constructor(reference: string, unpinnedReason?: string) {
    this.reference = reference;
    this.unpinnedReason = unpinnedReason;
  }
}

/** A name without its registry means another image on another node, and nothing on CRI-O 1.34. */
function checkRegistry(where: string, reference: string): void {
  const [first, ...path] = reference.split('/');
  if (path.length > 0 && (/[.:]/.test(first) || first === 'localhost')) return;
  refuse({
    where,
    want: 'must begin with its registry: container runtimes refuse short names or guess',
    got: reference,
    next: `did you mean "docker.io/${path.length === 0 ? 'library/' : ''}${reference}"?`,
  });
}
