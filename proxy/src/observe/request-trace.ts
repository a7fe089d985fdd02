import type * as otel from '@opentelemetry/api';
import type {
  Context,
  Span,
  SpanContext,
  TextMapGetter,
  TextMapPropagator,
  TextMapSetter,
} from '@opentelemetry/api';
import type {
  BackendTrace,
  HeaderFields,
  Received,
  RequestTrace,
  UpstreamRequest,
} from '../pipeline/evidence.js';
import { clientAttributes, methodOf, serverAttributes } from './span-attributes.js';

/** What OpenTelemetry lends: it is loaded only where a gateway traces. */
export interface TraceTools {
  readonly api: Pick<typeof otel, 'ROOT_CONTEXT' | 'SpanKind' | 'SpanStatusCode' | 'trace'>;
  readonly tracer: otel.Tracer;
  readonly propagator: TextMapPropagator;
}

/** @param publicOrigin under which the client reached the gateway */
export function startRequestTrace(tools: TraceTools, received: Received, publicOrigin: string): RequestTrace {
  const { api, tracer, propagator } = tools;
  const { ROOT_CONTEXT, SpanKind, trace } = api;
  const method = methodOf(received.method);
  const sent = trace.getSpanContext(propagator.extract(ROOT_CONTEXT, received.headers, TRACE_CONTEXT));
  const parent = sent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, withoutState(sent));
  const span = tracer.startSpan(method, { kind: SpanKind.SERVER }, parent);
  const context = trace.setSpan(parent, span);
  return {
    id: span.spanContext().traceId,
    ended(end) {
      if (!span.isRecording()) return;
      if (end.route !== undefined) span.updateName(`${method} ${end.route}`);
      // Semantic conventions for HTTP, "Status": of a server's span 4xx is no error, it is the client's.
      finish(api, span, serverAttributes(received, new URL(publicOrigin), end), end.status >= 500);
    },
    toBackend: (request, origin) => startBackendTrace(tools, { context, sent }, request, origin),
  };
}

/** `tracestate` goes on to the backend, but into no span: it is a text of the client's. */
const withoutState = ({ traceId, spanId, traceFlags }: SpanContext): SpanContext => ({
  traceId,
  spanId,
  traceFlags,
  isRemote: true,
});

interface RequestContext {
  readonly context: Context;
  /** What the client sent. */
  readonly sent: SpanContext | undefined;
}

function startBackendTrace(
  { api, tracer, propagator }: TraceTools,
  { context, sent }: RequestContext,
  request: UpstreamRequest,
  origin: string,
): BackendTrace {
  const span = tracer.startSpan(methodOf(request.method), { kind: api.SpanKind.CLIENT }, context);
  const headers = request.headers.filter((_, i) => !isTraceContext(request.headers[i - (i % 2)]!));
  propagator.inject(api.trace.setSpan(context, span), headers, APPEND);
  const state = sent?.traceState?.serialize() ?? '';
  // Of the client, the Kubernetes API gets nothing but ids.
  if (state !== '' && !request.confidential) headers.push('tracestate', state);
  return {
    request: { ...request, headers },
    ended(status, problem) {
      if (!span.isRecording()) return;
      const attributes = clientAttributes(request, new URL(origin), status, problem);
      finish(api, span, attributes, attributes['error.type'] !== undefined);
    },
  };
}

function finish(
  { SpanStatusCode }: TraceTools['api'],
  span: Span,
  attributes: Readonly<Record<string, string | number | undefined>>,
  failed: boolean,
): void {
  for (const [name, value] of Object.entries(attributes))
    if (value !== undefined) span.setAttribute(name, value);
  if (failed) span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}

const isTraceContext = (name: string): boolean => /^trace(?:parent|state)$/i.test(name);

const APPEND: TextMapSetter<string[]> = {
  set(headers, name, value) {
    headers.push(name, value);
  },
};

/**
 * W3C Trace Context 3.2: a second `traceparent` makes none of them good. 3.3: `tracestate` may be spread over
 * several lines, in their order.
 */
const TRACE_CONTEXT: TextMapGetter<HeaderFields> = {
  keys: () => ['traceparent', 'tracestate'],
  get(headers, name) {
    if (!headers.repeated(name)) return headers.get(name);
    return name === 'tracestate'
      ? headers.raw.filter((_, i) => i % 2 === 1 && headers.raw[i - 1]!.toLowerCase() === name)
      : undefined;
  },
};
