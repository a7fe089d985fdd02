/** Where traces go, and how many. */
import * as z from 'zod/mini';
import { filePath, fileRef, httpUrl, must, seconds, whole } from './fields.js';

export const tracing = z.strictObject({
  /**
   * The collector's endpoint for traces, with all of its path (OTLP 1.x, OTLP/HTTP):
   * `http://collector:4318/v1/traces`.
   */
  url: httpUrl,
  caFile: z.optional(filePath),
  /** Holds the whole value of the `Authorization` header, as `Bearer …`; read again when it changes. */
  authorization: z.optional(fileRef),
  /**
   * How many of all requests are recorded: 0 none, 1 all. A client that says "not sampled" is not; one that
   * says "sampled" is as likely to be as any other, whatever trace id it chose: the number of spans is the
   * operator's to decide. Backends are told what was decided.
   */
  sampleRatio: z._default(
    z.number().check(must('must be a number from 0 to 1', (v: number) => v >= 0 && v <= 1)),
    1,
  ),
  /** `service.name` of the resource (OpenTelemetry semantic conventions). */
  serviceName: z._default(
    z.string().check(must('must be 1 to 255 characters', (v: string) => v.length >= 1 && v.length <= 255)),
    'agentgateway-dpop-proxy',
  ),
  /** One export, with its retries; what is not there by then is dropped. */
  timeoutSeconds: z._default(seconds(0.1, 60), 10),
  /** The longest that spans wait for company before they are sent. */
  exportIntervalSeconds: z._default(seconds(0.1, 60), 5),
  /** Spans that wait, or are on their way; more are dropped and counted. A request makes two. */
  maxQueue: z._default(whole(1, 65_536, 'spans'), 2048),
});
