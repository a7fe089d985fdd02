import type { ExportResult } from '@opentelemetry/core';
import type { ReadableSpan, SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace';

export interface DropEvents {
  readonly onDropped: (cause: 'queue' | 'export', spans: number) => void;
  /** Once, until spans arrive again: a collector that is away must not fill the log. */
  readonly onProblem: (problem: string) => void;
  /** The collector takes spans again. */
  readonly onRecovered?: ((what: string) => void) | undefined;
}

export interface BoundedExport {
  /** Takes spans as long as no more than `maxQueue` of them wait or are on their way. */
  readonly gate: (next: SpanProcessor) => SpanProcessor;
  readonly exporter: SpanExporter;
}

/**
 * Counts what is lost, which the SDK tells nobody, and bounds what is kept: the SDK's own queue does not count
 * the batches that are on their way.
 *
 * @param limitMs after which an export counts as failed, whatever its connection still does
 */
export function boundedExport(
  inner: SpanExporter,
  { maxQueue, limitMs }: { readonly maxQueue: number; readonly limitMs: number },
  { onDropped, onProblem, onRecovered }: DropEvents,
): BoundedExport {
  let kept = 0;
  let failing = false;
  const arrive = () => {
    if (failing) onRecovered?.('tracing collector');
    failing = false;
  };
  const lose = (cause: 'queue' | 'export', spans: number, why: string) => {
    onDropped(cause, spans);
    if (failing) return;
    failing = true;
    onProblem(`tracing: spans are dropped: ${why}`);
  };
  return {
    gate: (next) => ({
      onStart: (span, context) => next.onStart(span, context),
      onEnd(span) {
        if (kept >= maxQueue) return lose('queue', 1, `${maxQueue} spans wait for the collector`);
        kept += 1;
        next.onEnd(span);
      },
      forceFlush: () => next.forceFlush(),
      shutdown: () => next.shutdown(),
    }),
    exporter: {
      export(spans: ReadableSpan[], done: (result: ExportResult) => void) {
        let settled = false;
        const settle = (result: ExportResult) => {
          if (settled) return;
          settled = true;
          clearTimeout(patience);
          kept -= spans.length;
          if (result.code === SUCCESS) arrive();
          else lose('export', spans.length, reasonOf(result.error));
          done(result);
        };
        const patience = setTimeout(
          () => settle({ code: FAILED, error: new Error('no whole answer in time') }),
          limitMs,
        ).unref();
        inner.export(spans, settle);
      },
      forceFlush: async () => inner.forceFlush?.(),
      shutdown: () => inner.shutdown(),
    },
  };
}

/** ExportResultCode of @opentelemetry/core, whose values live in the chunk that only a gateway with tracing loads. */
const SUCCESS: ExportResult['code'] = 0;
const FAILED: ExportResult['code'] = 1;
const MAX_TEXT = 200;

/** `ECONNREFUSED`, `401 Unauthorized`: never the text of the collector's answer, nor a header of ours. */
function reasonOf(error: (Error & { readonly code?: string | number }) | undefined): string {
  const text = [error?.code, error?.message].filter((part) => part !== undefined && part !== '').join(' ');
  return text === '' ? 'the collector did not take them' : text.slice(0, MAX_TEXT);
}
