/** Definitions of custom resources, as operators ship them, at a real API server. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseAllDocuments } from 'yaml';
import type { ApiServer, Json } from './api-server.js';

const SERVED_MS = 30_000;

interface Definition extends Json {
  readonly metadata: { readonly name: string };
  readonly spec: Json;
}
interface Condition {
  readonly type: string;
  readonly status: string;
}

/** Defines all that the YAML files of the folder do; resolves when each is served. */
export async function defineResources(api: ApiServer, dir: string): Promise<void> {
  const definitions = readdirSync(dir)
    .filter((name) => name.endsWith('.yaml'))
    .flatMap((name) => parseAllDocuments(readFileSync(join(dir, name), 'utf8')))
    .map((document) => document.toJS() as Definition);
  for (const { spec, ...definition } of definitions) {
    // A conversion would ask a webhook, which is not there; the stored version needs none.
    const { status, text } = await api.apply({
      ...definition,
      spec: { ...spec, conversion: { strategy: 'None' } },
    });
    if (status >= 300) throw new Error(`${definition.metadata.name}: ${text}`);
  }
  for (const { metadata } of definitions) await served(api, metadata.name);
}

async function served(api: ApiServer, name: string): Promise<void> {
  const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name}`;
  for (const end = performance.now() + SERVED_MS; performance.now() < end; await sleep(100)) {
    const { text } = await api.call({ path });
    const { status } = JSON.parse(text) as { readonly status?: { readonly conditions?: Condition[] } };
    if (status?.conditions?.some(({ type, status: is }) => type === 'Established' && is === 'True')) return;
  }
  throw new Error(`${name}: not served within ${SERVED_MS} ms`);
}
