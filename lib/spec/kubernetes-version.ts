/** The oldest Kubernetes that manifests are applied to: one for a namespace, whoever in it says so. */
import { OLDEST_MINOR } from '../support/parser';
import { Violation, refuse } from '../support/text';
import { AppRegistry, Versioned } from './app-registry';

export function checkKubernetesVersion(version: string): string {
  if (/^1\.\d{2}$/.test(version) && minorOf(version) >= OLDEST_MINOR) return version;
  const [, near] = /^v?(1\.\d{2})(\.\d+)?$/.exec(version) ?? [];
  return refuse({
    where: 'minKubernetesVersion',
    want: `must be "1.${OLDEST_MINOR}" or later: older servers do not know the preStop sleep`,
    got: version,
    next:
      near === undefined || minorOf(near) < OLDEST_MINOR
        ? `name the oldest minor that your clusters run, for example "1.${OLDEST_MINOR}"`
        : `did you mean "${near}"?`,
  });
}

/** The minor of this construct's namespace. */
export function kubernetesMinorOf(construct: Versioned): number {
  const [said] = versionsSaid(construct);
  return said === undefined ? OLDEST_MINOR : minorOf(said._minKubernetesVersion!);
}

/** A namespace lives on one cluster at a time: two oldest versions of it are one too many. */
export function kubernetesVersionViolations(construct: Versioned): Violation[] {
  const mine = construct._minKubernetesVersion;
  const [other] = versionsSaid(construct).filter((c) => c._minKubernetesVersion !== mine);
  if (mine === undefined || other === undefined) return [];
  return [
    {
      where: 'minKubernetesVersion',
      want: `must be "${other._minKubernetesVersion}" as ${other.node.path} in the same namespace has it`,
      got: mine,
      next: 'say it once, on the HardenedNamespace',
    },
  ];
}

const minorOf = (version: string) => Number(version.slice(2));

const versionsSaid = (construct: Versioned) => AppRegistry.of(construct).versionsIn(construct.namespaceName);
