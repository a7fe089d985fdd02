/** There are no nodes: this says of each pod what a kubelet would, that it runs and is ready. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiServer } from './api-server.js';

const EVERY_MS = 100;
/** Longer than any `minReadySeconds`. */
const READY_SINCE_MS = 60_000;

interface Pod {
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly status: { readonly phase: string };
}

/** @returns ends it */
export function startKubelet(api: ApiServer): () => Promise<void> {
  let isOver = false;
  const running = (async () => {
    while (!isOver) {
      for (const pod of await pendingPods(api)) await sayReady(api, pod);
      await sleep(EVERY_MS);
    }
  })();
  return () => {
    isOver = true;
    return running;
  };
}

async function pendingPods(api: ApiServer): Promise<readonly Pod[]> {
  const { text } = await api.call({ path: '/api/v1/pods' });
  const { items } = JSON.parse(text) as { readonly items: readonly Pod[] };
  return items.filter(({ status }) => status.phase === 'Pending');
}

/** A pod that is gone meanwhile is none to speak of. */
function sayReady(api: ApiServer, { metadata: { name, namespace } }: Pod) {
  const since = new Date(Date.now() - READY_SINCE_MS).toISOString();
  const conditions = ['Ready', 'ContainersReady'].map((type) => ({
    type,
    status: 'True',
    lastTransitionTime: since,
  }));
  return api.call({
    method: 'PATCH',
    path: `/api/v1/namespaces/${namespace}/pods/${name}/status`,
    type: 'application/strategic-merge-patch+json',
    body: { status: { phase: 'Running', startTime: since, conditions } },
  });
}
