/** Kinds of values that a config is made of, each with what it wants in its error. */
import { isIP } from 'node:net';
import * as z from 'zod/mini';

/** A check that names what it wants and, where it can, the value that was probably meant. */
export const must = <T>(want: string, test: (value: T) => boolean, next?: (value: T) => string | undefined) =>
  z.refine<T>(test, { error: want, params: { next } });

export const seconds = (min: number, max: number) =>
  z
    .number()
    .check(must(`must be a number of seconds from ${min} to ${max}`, (v: number) => v >= min && v <= max));
export const whole = (min: number, max: number, unit: string) =>
  z
    .number()
    .check(
      must(
        `must be a whole number of ${unit} from ${min} to ${max}`,
        (v: number) => Number.isInteger(v) && v >= min && v <= max,
      ),
    );
export const nonEmpty = <T extends z.ZodMiniType>(item: T) =>
  z.array(item).check(must('must list at least one item', (v: unknown[]) => v.length > 0));

export const port = whole(1, 65535, 'a TCP port');
/**
 * Absent: every address of both families (`::`), or every IPv4 address (`0.0.0.0`) where the kernel has no
 * IPv6. Node decides which.
 */
export const host = z.optional(
  z.string().check(
    must(
      'must be an IP address to listen on',
      (v: string) => isIP(v) !== 0,
      () => 'use "127.0.0.1", or leave it out for every address of both families',
    ),
  ),
);
export const filePath = z
  .string()
  .check(must('must be an absolute file path', (v: string) => /^\/[^\0]*[^\0/]$/.test(v)));
export const fileRef = z.strictObject({ file: filePath });

/** RFC 1123 label: lower-case letters, digits and hyphens, at most 63. */
export const label = z.string().check(
  must(
    'must be a lower-case RFC 1123 label of at most 63 characters',
    (v: string) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(v),
    (v) =>
      suggest(
        v
          .toLowerCase()
          .replace(/[^a-z0-9-]+/g, '-')
          .replace(/^-+|-+$/g, '')
          .slice(0, 63),
        v,
      ),
  ),
);
/** RFC 1123 subdomain, the form of a Secret's name. */
export const subdomain = z
  .string()
  .check(
    must(
      'must be a lower-case RFC 1123 subdomain (the form of a Kubernetes object name)',
      (v: string) =>
        v.length <= 253 && /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/.test(v),
    ),
  );

export function suggest(candidate: string, got: string): string | undefined {
  return candidate !== '' && candidate !== got ? `did you mean ${JSON.stringify(candidate)}?` : undefined;
}

export function isCidr(value: string): boolean {
  const [address = '', bits = '', ...rest] = value.split('/');
  const v4 =
    /^\d{1,3}(\.\d{1,3}){3}$/.test(address) && address.split('.').every((part) => Number(part) <= 255);
  const v6 = address.includes(':') && URL.canParse(`http://[${address}]`);
  return rest.length === 0 && (v4 || v6) && /^\d{1,3}$/.test(bits) && Number(bits) <= (v4 ? 32 : 128);
}

function originNext(value: string): string | undefined {
  if (value.includes('*')) return 'name each origin: a wildcard matches nothing';
  if (value === 'null') return 'pages without an origin all send it: name none of them';
  if (URL.canParse(value) && /^https?:/.test(value)) return suggest(new URL(value).origin, value);
  return 'for example "https://gateway.example.com"';
}

const isOrigin = (v: string): boolean =>
  URL.canParse(v) && /^https?:/.test(v) && new URL(v).origin === v && !v.includes('*');

/** scheme://authority and nothing after it, already in the normal form of RFC 3986 6.2. */
export const origin = z
  .string()
  .check(must('must be an http(s) origin: scheme, host and port, nothing else', isOrigin, originNext));
/** What browsers and shells around them send as Origin for pages that were not fetched: RFC 6454 6.2. */
const SHELL_ORIGIN =
  /^(?:chrome-extension|moz-extension|app|tauri|vscode-webview):\/\/[a-z0-9._-]+(?::\d{1,5})?$/;

/** An Origin that may call, exactly: of a website, of an extension or of an app. */
export const callingOrigin = z
  .string()
  .check(
    must(
      'must be an origin: of http(s), chrome-extension, moz-extension, app, tauri or vscode-webview, ' +
        'and nothing after it',
      (v: string) => isOrigin(v) || SHELL_ORIGIN.test(v),
      originNext,
    ),
  );
export const httpUrl = z.string().check(
  must(
    'must be an absolute http(s) URL without credentials, query or fragment',
    (v: string) => {
      if (!URL.canParse(v) || !/^https?:\/\//.test(v)) return false;
      const url = new URL(v);
      return url.username === '' && url.password === '' && url.search === '' && url.hash === '';
    },
    (v) => suggest(/^[a-z0-9.-]+(:\d+)?(\/|$)/i.test(v) ? `http://${v}` : '', v),
  ),
);

function prefix({ root }: { readonly root: boolean }) {
  const isPrefix = (v: string) =>
    (root && v === '/') || (/^(\/[A-Za-z0-9._~-]+)+$/.test(v) && !/\/\.\.?(\/|$)/.test(v));
  return z.string().check(
    must(
      'must start with "/"',
      (v: string) => v.startsWith('/'),
      (v) => suggest(`/${v}`, v),
    ),
    must(
      'must be a canonical path: unreserved characters only, no empty or dot segments, no trailing "/"',
      (v: string) => !v.startsWith('/') || isPrefix(v),
      (v) => suggest(v.replace(/\/+/g, '/').replace(/\/$/, ''), v),
    ),
  );
}

/** A path prefix that is matched on segment borders: "/mcp" takes /mcp and /mcp/x, never /mcpx. */
export const pathPrefix = prefix({ root: false });
/** Of a route: also "/", which is every path that no other route has. */
export const routePrefix = prefix({ root: true });

export const ASYMMETRIC = ['ES256', 'ES384', 'PS256', 'RS256', 'EdDSA', 'Ed25519'] as const;
/** Signature algorithms that may be allowed; `none` and HS* cannot be named (RFC 8725 3.1). */
export const algorithm = z.enum(ASYMMETRIC);
