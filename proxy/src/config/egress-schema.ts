/** The HTTP proxy that the gateway's own questions go through. */
import * as z from 'zod/mini';
import { filePath, fileRef, must, origin } from './fields.js';

export const egressProxy = z.strictObject({
  /** Scheme, host and port: `http://proxy.example.com:3128`. With https the proxy itself is spoken to by TLS. */
  url: origin,
  /** Certificates that an https proxy is verified against; absent: Node's own roots. */
  caFile: z.optional(filePath),
  /** Holds `user:password` (RFC 7617); read again when it changes. */
  credentials: z.optional(fileRef),
  /** Hosts that are asked directly, each as it stands in its URL: a collector in the cluster. */
  direct: z._default(
    z.array(
      z
        .string()
        .check(
          must(
            'must be a host as it stands in a URL, without a port',
            (v: string) => URL.canParse(`http://${v}`) && new URL(`http://${v}`).hostname === v,
          ),
        ),
    ),
    [],
  ),
});
