import { readFileSync } from 'node:fs';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Span, TextMapGetter } from '@opentelemetry/api';
import type { Sampler } from '@opentelemetry/sdk-trace';
import type { TracingConfig } from '../config/index.js';
import type { HeaderFields, Received, RequestTrace } from '../pipeline/evidence.js';
import { clientAttributes, methodOf, serverAttributes } from './span-attributes.js';
import { boundedExport, type DropEvents } from './span-exporter.js';

export interface Tracer {
  /** @param publicOrigin under which the client reached the gateway */
  start(received: Received, publicOrigin: string): RequestTrace;
  /** Sends what waits, as far as that takes no longer than `FLUSH_MS`. */
  close(): Promise<void>;
}

export interface TracerOptions extends DropEvents {
  /** Value of the Authorization header of now. */
  readonly authorization: () => string | undefined;
}

/** Less than kubelet's patience after the drain. */
const FLUSH_MS = 3_000;
/** Spans that are encoded at once: the SDK's 512 hold up the requests of that moment for 2 ms, these for 0.6 (measured). */
const BATCH = 128;
const MAX_VALUE = 200;
const SCOPE = 'cdk8s-agentgateway';
/** After the exporter's own time: what it could not end itself. */
const MARGIN_MS = 500;

/**
 * OpenTelemetry's own SDK and OTLP exporter, in a chunk that is loaded, and mounted, only where a gateway traces. Nothing is registered globally. Rejects only for a file that cannot be read. Of the SDK's
 * environment variables only OTEL_EXPORTER_OTLP_HEADERS and _COMPRESSION add to the config.
 */
export async function openTracer(
  config: TracingConfig,
  { authorization, ...events }: TracerOptions,
): Promise<Tracer> {
  const { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } = await import('@opentelemetry/api');
  const { W3CTraceContextPropagator } = await import('@opentelemetry/core');
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-http');
  const { defaultResource, resourceFromAttributes } = await import('@opentelemetry/resources');
  const { BatchSpanProcessor, ParentBasedSampler, SamplingDecision, TracerProvider } =
    await import('@opentelemetry/sdk-trace');

  const { url, caFile, sampleRatio, serviceName, timeoutSeconds, exportIntervalSeconds, maxQueue } = config;
  const agent = url.startsWith('https:')
    ? new HttpsAgent({
        keepAlive: true,
        ...(caFile === undefined ? {} : { ca: readFileSync(caFile, 'utf8') }),
      })
    : new HttpAgent({ keepAlive: true });
  let closed = false;
  const timeoutMillis = timeoutSeconds * 1000;
  const batchSize = Math.min(BATCH, maxQueue);
  const { gate, exporter } = boundedExport(
    new OTLPTraceExporter({
      url,
      timeoutMillis,
      // At the end every batch goes at once.
      concurrencyLimit: Math.ceil(maxQueue / batchSize) + 1,
      httpAgentOptions: () => agent,
      headers: async (): Promise<Record<string, string>> => {
        if (closed) throw new Error('the gateway stops'); // asked before every attempt: there is no other way to end the exporter's retries
        const value = authorization();
        return value === undefined ? {} : { Authorization: value };
      },
    }),
    { maxQueue, limitMs: timeoutMillis + MARGIN_MS },
    events,
  );
  // By chance and not by the trace id, as the SDK's own ratio does: a client chooses that, and could choose one that is always recorded.
  const byChance: Sampler = {
    shouldSample: () => ({
      decision:
        Math.random() < sampleRatio ? SamplingDecision.RECORD_AND_SAMPLED : SamplingDecision.NOT_RECORD,
    }),
    toString: () => `Chance{${sampleRatio}}`,
  };
  const provider = new TracerProvider({
    resource: defaultResource().merge(resourceFromAttributes({ 'service.name': serviceName })),
    sampler: new ParentBasedSampler({ root: byChance, remoteParentSampled: byChance }),
    spanLimits: { attributeValueLengthLimit: MAX_VALUE },
    spanProcessors: [
      gate(
        new BatchSpanProcessor({
          exporter,
          maxQueueSize: maxQueue,
          maxExportBatchSize: batchSize,
          scheduledDelayMillis: exportIntervalSeconds * 1000,
          exportTimeoutMillis: timeoutMillis + 2 * MARGIN_MS,
        }),
      ),
    ],
  });
  const tracer = provider.getTracer(SCOPE);
  const propagator = new W3CTraceContextPropagator();

  const finish = (
    span: Span,
    attributes: Readonly<Record<string, string | number | undefined>>,
    failed: boolean,
  ) => {
    for (const [name, value] of Object.entries(attributes))
      if (value !== undefined) span.setAttribute(name, value);
    if (failed) span.setStatus({ code: SpanStatusCode.ERROR });
    span.end();
  };

  return {
    start(received, publicOrigin) {
      const method = methodOf(received.method);
      // `tracestate` goes on to the backend, but into no span: it is a text of the client's.
      const sent = trace.getSpanContext(propagator.extract(ROOT_CONTEXT, received.headers, TRACE_CONTEXT));
      const parent =
        sent === undefined
          ? ROOT_CONTEXT
          : trace.setSpanContext(ROOT_CONTEXT, {
              traceId: sent.traceId,
              spanId: sent.spanId,
              traceFlags: sent.traceFlags,
              isRemote: true,
            });
      const span = tracer.startSpan(method, { kind: SpanKind.SERVER }, parent);
      const context = trace.setSpan(parent, span);
      return {
        id: span.spanContext().traceId,
        ended(end) {
          if (!span.isRecording()) return;
          if (end.route !== undefined) span.updateName(`${method} ${end.route}`);
          // Semantic conventions for HTTP, "Status": of a server's span 4xx is no error, it is the client's.
          finish(span, serverAttributes(received, new URL(publicOrigin), end), end.status >= 500);
        },
        toBackend(request, origin) {
          const part = tracer.startSpan(methodOf(request.method), { kind: SpanKind.CLIENT }, context);
          const headers = request.headers.filter((_, i) => !isTraceContext(request.headers[i - (i % 2)]!));
          propagator.inject(trace.setSpan(context, part), headers, {
            set: (to, name, value) => {
              to.push(name, value);
            },
          });
          const state = sent?.traceState?.serialize() ?? '';
          // Of the client, the Kubernetes API gets nothing but ids.
          if (state !== '' && !request.confidential) headers.push('tracestate', state);
          return {
            request: { ...request, headers },
            ended(status, problem) {
              if (!part.isRecording()) return;
              const attributes = clientAttributes(request, new URL(origin), status, problem);
              finish(part, attributes, attributes['error.type'] !== undefined);
            },
          };
        },
      };
    },
    async close() {
      let patience: NodeJS.Timeout | undefined;
      await Promise.race([
        provider.shutdown().catch(() => {
          /* counted, and said */
        }),
        new Promise((resolve) => {
          patience = setTimeout(resolve, FLUSH_MS);
        }),
      ]);
      clearTimeout(patience);
      closed = true;
      agent.destroy();
    },
  };
}

const isTraceContext = (name: string): boolean => /^trace(?:parent|state)$/i.test(name);

/** W3C Trace Context 3.2: a second `traceparent` makes none of them good. 3.3: `tracestate` may be spread over several lines, in their order. */
const TRACE_CONTEXT: TextMapGetter<HeaderFields> = {
  keys: () => ['traceparent', 'tracestate'],
  get(headers, name) {
    if (!headers.repeated(name)) return headers.get(name);
    return name === 'tracestate'
      ? headers.raw.filter((_, i) => i % 2 === 1 && headers.raw[i - 1]!.toLowerCase() === name)
      : undefined;
  },
};
