/**
 * A collector of OTLP/HTTP in JSON (OTLP 1.x, "OTLP/HTTP"), which keeps what it was sent. Written against the
 * protocol, not against the exporter.
 */
import http, { type IncomingHttpHeaders, type RequestListener } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** `Span.kind` and `Status.code` of opentelemetry/proto/trace/v1/trace.proto. */
export const KIND = { server: 2, client: 3 } as const;
export const STATUS = { unset: 0, error: 2 } as const;

export interface Exported {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty: none. */
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: number;
  readonly status: number;
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly traceState: string;
  readonly service: string;
  readonly millis: number;
}

export interface Collector {
  readonly url: string;
  readonly spans: Exported[];
  /** All that came, headers and bodies, as text. */
  readonly received: {
    readonly headers: IncomingHttpHeaders;
    readonly path: string;
    readonly text: string;
  }[];
  /** Status of its answers; `hang`: it takes the request and says nothing. */
  answer: number | 'hang';
  /** Waits until there are so many spans, for 5 seconds at most. */
  until(count: number): Promise<Exported[]>;
  stop(): Promise<void>;
}

const MAX_BODY = 4 << 20;

interface Value {
  readonly stringValue?: string;
  readonly intValue?: number | string;
}
interface Span {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  traceState?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  status?: { code?: number };
  attributes?: { key: string; value: Value }[];
  events?: unknown[];
  links?: unknown[];
}
interface Body {
  resourceSpans: {
    resource: { attributes: { key: string; value: Value }[] };
    scopeSpans: { spans: Span[] }[];
  }[];
}

const plain = (list: readonly { key: string; value: Value }[] = []) =>
  Object.fromEntries(list.map(({ key, value }) => [key, value.stringValue ?? Number(value.intValue)]));

function decode(text: string): Exported[] {
  return (JSON.parse(text) as Body).resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => {
        if (!/^[0-9a-f]{32}$/.test(span.traceId) || !/^[0-9a-f]{16}$/.test(span.spanId))
          throw new Error('ids are hex in OTLP/JSON');
        if ((span.events ?? []).length + (span.links ?? []).length > 0)
          throw new Error('no event and no link is expected');
        return {
          traceId: span.traceId,
          spanId: span.spanId,
          parentSpanId: span.parentSpanId ?? '',
          name: span.name,
          kind: span.kind,
          status: span.status?.code ?? 0,
          traceState: span.traceState ?? '',
          attributes: plain(span.attributes),
          service: String(plain(resource.attributes)['service.name']),
          millis: Number(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano)) / 1e6,
        };
      }),
    ),
  );
}

export async function startCollector(tls?: {
  readonly key: Buffer;
  readonly cert: Buffer;
}): Promise<Collector> {
  const listener: RequestListener = (message, response) => {
    let text = '';
    message.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.length > MAX_BODY) message.destroy();
    });
    message.on('end', () => {
      collector.received.push({ headers: message.headers, path: message.url!, text });
      if (collector.answer === 'hang') return;
      if (collector.answer === 200) collector.spans.push(...decode(text));
      response.writeHead(collector.answer, { 'Content-Type': 'application/json' }).end('{}');
    });
  };
  const server = tls === undefined ? http.createServer(listener) : https.createServer(tls, listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const collector: Collector = {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`,
    spans: [],
    received: [],
    answer: 200,
    async until(count) {
      for (let i = 0; i < 500 && collector.spans.length < count; i++) await sleep(10);
      return collector.spans;
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return collector;
}
