import { readFileSync } from 'node:fs';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Sampler, SpanProcessor } from '@opentelemetry/sdk-trace';
import type { TracingConfig } from '../config/index.js';
import type { Received, RequestTrace } from '../pipeline/evidence.js';
import { startRequestTrace } from './request-trace.js';
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
  /** Absent: the collector is asked directly. */
  readonly agent: HttpAgent | undefined;
}

/** Less than kubelet's patience after the drain. */
const FLUSH_MS = 3_000;
/**
 * Spans that are encoded at once: the SDK's 512 hold up the requests of that moment for 2 ms, these for 0.6
 * (measured).
 */
const BATCH = 128;
const MAX_VALUE = 200;
const SCOPE = 'cdk8s-agentgateway';
/** After the exporter's own time: what it could not end itself. */
const MARGIN_MS = 500;

/**
 * OpenTelemetry's own SDK and OTLP exporter, in a chunk that is loaded, and mounted, only where a gateway
 * traces. Nothing is registered globally. Rejects only for a file that cannot be read. Of the SDK's environment
 * variables only OTEL_EXPORTER_OTLP_HEADERS and _COMPRESSION add to the config.
 */
export async function openTracer(config: TracingConfig, options: TracerOptions): Promise<Tracer> {
  const api = await import('@opentelemetry/api');
  const { W3CTraceContextPropagator } = await import('@opentelemetry/core');
  const { defaultResource, resourceFromAttributes } = await import('@opentelemetry/resources');
  const { ParentBasedSampler, SamplingDecision, TracerProvider } = await import('@opentelemetry/sdk-trace');

  const { sampleRatio, serviceName } = config;
  const spanExport = await openSpanExport(config, options);
  // By chance and not by the trace id, as the SDK's own ratio does: a client chooses that, and could choose one
  // that is always recorded.
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
    spanProcessors: [spanExport.processor],
  });
  const tracer = provider.getTracer(SCOPE);
  const propagator = new W3CTraceContextPropagator();
  return {
    start: (received, publicOrigin) => startRequestTrace({ api, tracer, propagator }, received, publicOrigin),
    async close() {
      await atMost(FLUSH_MS, provider.shutdown());
      spanExport.close();
    },
  };
}

interface SpanExport {
  /** Takes the spans that have ended. */
  readonly processor: SpanProcessor;
  /** Ends what is still on its way. */
  close(): void;
}

async function openSpanExport(
  { url, caFile, timeoutSeconds, exportIntervalSeconds, maxQueue }: TracingConfig,
  { authorization, agent: egress, ...events }: TracerOptions,
): Promise<SpanExport> {
  const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-http');
  const { BatchSpanProcessor } = await import('@opentelemetry/sdk-trace');
  const agent = egress ?? openAgent(url, caFile);
  let closed = false;
  const timeoutMillis = timeoutSeconds * 1000;
  const batchSize = Math.min(BATCH, maxQueue);
  const otlp = new OTLPTraceExporter({
    url,
    timeoutMillis,
    // At the end every batch goes at once.
    concurrencyLimit: Math.ceil(maxQueue / batchSize) + 1,
    httpAgentOptions: () => agent,
    // Asked for before every attempt: there is no other way to end the exporter's retries.
    headers: async (): Promise<Record<string, string>> => {
      if (closed) throw new Error('the gateway stops');
      const value = authorization();
      return value === undefined ? {} : { Authorization: value };
    },
  });
  const { gate, exporter } = boundedExport(otlp, { maxQueue, limitMs: timeoutMillis + MARGIN_MS }, events);
  const batches = new BatchSpanProcessor({
    exporter,
    maxQueueSize: maxQueue,
    maxExportBatchSize: batchSize,
    scheduledDelayMillis: exportIntervalSeconds * 1000,
    exportTimeoutMillis: timeoutMillis + 2 * MARGIN_MS,
  });
  return {
    processor: gate(batches),
    close() {
      closed = true;
      agent.destroy();
    },
  };
}

function openAgent(url: string, caFile: string | undefined): HttpAgent {
  if (!url.startsWith('https:')) return new HttpAgent({ keepAlive: true });
  const roots = caFile === undefined ? {} : { ca: readFileSync(caFile, 'utf8') };
  return new HttpsAgent({ keepAlive: true, ...roots });
}

/** Waits for work that may fail, since whoever does it has said so, and no longer than this. */
async function atMost(milliseconds: number, work: Promise<unknown>): Promise<void> {
  let patience: NodeJS.Timeout | undefined;
  await Promise.race([
    work.catch(() => {
      /* counted, and said */
    }),
    new Promise((resolve) => {
      patience = setTimeout(resolve, milliseconds);
    }),
  ]);
  clearTimeout(patience);
}
