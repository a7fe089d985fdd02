/** kubectl and helm as an administrator runs them against the API server of a test. */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import type { ApiServer, Json } from './api-server.js';
import { goProgram, type GoProgram } from './go-program.js';

/** Beside the repository where it is developed. */
const CRDS = join(import.meta.dirname, '..', '..', '..', '..', 'shared', 'crds');

export interface Named extends Json {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

interface Definition {
  readonly spec: { readonly group: string; readonly names: { readonly kind: string } };
}

export type Run = (args: readonly string[], input?: string) => string;

/** Runs it, and throws with what it said where it fails. */
export function client(name: GoProgram, { kubeconfig }: ApiServer, home: string): Run {
  const program = goProgram(name);
  const env = { PATH: process.env.PATH, HOME: home, KUBECONFIG: kubeconfig };
  return (args, input = '') => {
    try {
      return execFileSync(program, args, { env, input, stdio: 'pipe', maxBuffer: 2 ** 26 }).toString();
    } catch (cause) {
      throw new Error(`${name} ${args.join(' ')}: ${String((cause as { stderr?: Buffer }).stderr)}`);
    }
  };
}

const BUILT_IN = /^(v1$|[a-z]+\/)|\.k8s\.io\//;

/**
 * Definitions of the custom resources among these, as YAML: the operator's own where they lie beside the repository;
 * elsewhere ones that take anything.
 */
export function definitionsFor(objects: readonly Named[]): string {
  const own = existsSync(CRDS)
    ? readdirSync(CRDS)
        .filter((file) => file.endsWith('.yaml'))
        .map((file) => parse(readFileSync(join(CRDS, file), 'utf8')) as Definition)
    : [];
  const kinds = new Map(
    objects
      .filter(({ apiVersion }) => apiVersion.startsWith('gateway.networking') || !BUILT_IN.test(apiVersion))
      .map((object) => [`${object.apiVersion}/${object.kind}`, object]),
  );
  const found = [...kinds.values()].map((object) => {
    const [group, version] = object.apiVersion.split('/') as [string, string];
    const theirs = own.find(({ spec }) => spec.group === group && spec.names.kind === object.kind);
    return theirs ?? openDefinition(group, version, object);
  });
  return found.map((definition) => stringify(definition)).join('---\n');
}

function openDefinition(group: string, version: string, { kind, metadata }: Named): object {
  const singular = kind.toLowerCase();
  const plural = `${singular}s`;
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${plural}.${group}`,
      // Groups of Kubernetes are protected.
      annotations: { 'api-approved.kubernetes.io': 'unapproved, for a test' },
    },
    spec: {
      group,
      names: { kind, singular, plural },
      scope: metadata.namespace === undefined ? 'Cluster' : 'Namespaced',
      versions: [{ name: version, served: true, storage: true, schema }],
    },
  };
}
