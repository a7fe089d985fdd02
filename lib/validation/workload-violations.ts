/** What a user adds to the workload: where its pods run, and what its objects say beside the library's own words. */
import { GatewaySpec } from '../spec/gateway-spec';
import { LIBRARY_LABELS, POD_ANNOTATIONS } from '../spec/own-metadata';
import { ANNOTATION_LIMIT } from '../support/annotation';
import { LABEL_KEY, LABEL_VALUE, OS_LABEL } from '../support/labels';
import { objectNameViolations, Violation } from '../support/text';
import { AddedMetadata } from '../values/added-metadata';
import {
  NodeOperator,
  NodeRequirement,
  TaintEffect,
  Toleration,
  TolerationOperator,
} from '../values/scheduling';

export function workloadViolations(spec: GatewaySpec): Violation[] {
  const { labels, podMetadata, serviceMetadata, serviceAccountMetadata } = spec;
  const objectLabels = { ...LIBRARY_LABELS, ...labels };
  return [
    ...schedulingViolations(spec),
    ...metadataViolations('podMetadata', podMetadata, labels),
    ...metadataViolations('serviceMetadata', serviceMetadata, objectLabels),
    ...metadataViolations('serviceAccountMetadata', serviceAccountMetadata, objectLabels),
  ];
}

function schedulingViolations({ scheduling, replayStore }: GatewaySpec): Violation[] {
  const { tolerations = [], nodeSelector = {}, nodeAffinity = {}, imagePullSecrets = [] } = scheduling;
  const { required = [], preferred = [] } = nodeAffinity;
  const names = [
    ['priorityClassName', scheduling.priorityClassName],
    ['runtimeClassName', scheduling.runtimeClassName],
    ...imagePullSecrets.map((name, at) => [`imagePullSecrets[${at}]`, name] as const),
  ] as const;
  return [
    ...tolerations.flatMap(tolerationViolations),
    ...Object.entries(nodeSelector).flatMap(([key, value]) =>
      labelViolations(`scheduling.nodeSelector.${key}`, key, value),
    ),
    ...(replayStore._redis === undefined ? osViolations(nodeSelector) : []),
    ...required.flatMap((each, at) => requirementViolations(`scheduling.nodeAffinity.required[${at}]`, each)),
    ...preferred.flatMap(({ weight, requirements }, at) => {
      const where = `scheduling.nodeAffinity.preferred[${at}]`;
      return [
        ...weightViolations(where, weight),
        ...(requirements.length > 0 ? [] : [nothingIn(`${where}.requirements`)]),
        ...requirements.flatMap((each, n) => requirementViolations(`${where}.requirements[${n}]`, each)),
      ];
    }),
    ...names.flatMap(([prop, name]) =>
      name === undefined ? [] : objectNameViolations(`scheduling.${prop}`, name),
    ),
  ];
}

const unless = (isGood: boolean, violation: Violation): Violation[] => (isGood ? [] : [violation]);

/** The API server would refuse the Deployment for each of them. */
function tolerationViolations(toleration: Toleration, at: number): Violation[] {
  const { key, operator, value } = toleration;
  const where = (prop: string) => `scheduling.tolerations[${at}].${prop}`;
  const isEqual = operator === undefined ? value !== undefined : operator === TolerationOperator.EQUAL;
  return [
    ...unless(key === undefined || LABEL_KEY.test(key), badKey(where('key'), key ?? '')),
    ...unless(key !== undefined || !isEqual, {
      where: where('key'),
      want: 'must be given with a value',
      next: 'name the key of the taint',
    }),
    ...unless(isEqual || value === undefined, {
      where: where('value'),
      want: 'must be left out with TolerationOperator.EXISTS, which takes every value',
      got: value,
      next: 'choose TolerationOperator.EQUAL, or leave it out',
    }),
    ...(isEqual ? valueViolations(where('value'), value ?? '') : []),
    ...secondsViolations(where('tolerationSeconds'), toleration),
  ];
}

function secondsViolations(where: string, { effect, tolerationSeconds: got }: Toleration): Violation[] {
  if (got === undefined) return [];
  return [
    ...unless(effect === TaintEffect.NO_EXECUTE, {
      where,
      want: 'must go with TaintEffect.NO_EXECUTE, the one effect that ends a pod',
      got,
      next: 'give the effect, or leave it out',
    }),
    ...unless(Number.isInteger(got) && got >= 0, {
      where,
      want: 'must be a whole number of seconds, 0 or more',
      got,
    }),
  ];
}

/** What keeps a second pod of a memory store from every node holds for nodes of one value of this label. */
function osViolations({ [OS_LABEL]: os = 'linux' }: Record<string, string>): Violation[] {
  if (os === 'linux') return [];
  return [
    {
      where: `scheduling.nodeSelector.${OS_LABEL}`,
      want: 'must be "linux": the images are for no other',
      got: os,
      next: 'leave it out',
    },
  ];
}

function requirementViolations(where: string, { key, operator, values = [] }: NodeRequirement): Violation[] {
  const [want, fits] = VALUES_OF[operator];
  return [
    ...(LABEL_KEY.test(key) ? [] : [badKey(`${where}.key`, key)]),
    ...(fits(values)
      ? []
      : [{ where: `${where}.values`, want: `${want} with operator ${operator}`, got: values }]),
  ];
}

type Fits = (values: readonly string[]) => boolean;
const MEMBERS: readonly [string, Fits] = [
  'must be one or more values of a label',
  (values) => values.length > 0 && values.every((value) => value === '' || LABEL_VALUE.test(value)),
];
const NONE: readonly [string, Fits] = ['must be left out', (values) => values.length === 0];
const BOUND: readonly [string, Fits] = [
  'must be one whole number in quotes',
  (values) => values.length === 1 && /^-?\d+$/.test(values[0]),
];
const VALUES_OF: Readonly<Record<NodeOperator, readonly [string, Fits]>> = {
  [NodeOperator.IN]: MEMBERS,
  [NodeOperator.NOT_IN]: MEMBERS,
  [NodeOperator.EXISTS]: NONE,
  [NodeOperator.DOES_NOT_EXIST]: NONE,
  [NodeOperator.GT]: BOUND,
  [NodeOperator.LT]: BOUND,
};

const nothingIn = (where: string): Violation => ({ where, want: 'must be at least one', got: [] });

const weightViolations = (where: string, weight: number): Violation[] =>
  Number.isInteger(weight) && weight >= 1 && weight <= 100
    ? []
    : [{ where: `${where}.weight`, want: 'must be a whole number from 1 to 100', got: weight }];

function metadataViolations(
  where: string,
  { labels = {}, annotations = {} }: AddedMetadata,
  ownLabels: Readonly<Record<string, string>>,
): Violation[] {
  return [
    ...Object.entries(labels).flatMap(([key, value]) => [
      ...labelViolations(`${where}.labels.${key}`, key, value),
      ...(key in ownLabels ? [ours(`${where}.labels.${key}`)] : []),
    ]),
    ...Object.keys(annotations).flatMap((key) => [
      ...(LABEL_KEY.test(key) ? [] : [badKey(`${where}.annotations.${key}`, key)]),
      ...(key in POD_ANNOTATIONS ? [ours(`${where}.annotations.${key}`)] : []),
      ...(key.startsWith(APPARMOR) ? [unconfined(`${where}.annotations.${key}`)] : []),
    ]),
    ...tooLong(where, annotations),
  ];
}

const ours = (where: string): Violation => ({
  where,
  want: "must be left out: it is the library's own, which policies, Service and tools go by",
  next: 'take a key of your own, for example "example.com/team"',
});

/** It overrides the profile of the security context, and may say "unconfined". */
const APPARMOR = 'container.apparmor.security.beta.kubernetes.io/';
const unconfined = (where: string): Violation => ({
  where,
  want: 'must be left out: it would replace the AppArmor profile of the container',
  next: 'say appArmor: true for the default profile of the runtime',
});

function tooLong(where: string, annotations: Readonly<Record<string, string>>): Violation[] {
  const bytes = Object.entries(annotations).reduce((sum, pair) => sum + Buffer.byteLength(pair.join('')), 0);
  // `kubectl apply` writes them once more, into an annotation of its own.
  if (bytes <= ANNOTATION_LIMIT / 2) return [];
  return [
    {
      where: `${where}.annotations`,
      want: `must be at most ${ANNOTATION_LIMIT / 2} bytes together`,
      got: bytes,
    },
  ];
}

const badKey = (where: string, got: string): Violation => ({
  where,
  want: 'must have a key of letters, digits, "-", "_" and ".", at most 63, behind a domain and "/" or not',
  got,
});

function labelViolations(where: string, key: string, value: string): Violation[] {
  return [...unless(LABEL_KEY.test(key), badKey(where, key)), ...valueViolations(where, value)];
}

const valueViolations = (where: string, got: string): Violation[] =>
  unless(got === '' || LABEL_VALUE.test(got), {
    where,
    want: 'must be the value of a label: letters, digits, "-", "_" and ".", at most 63',
    got,
  });
