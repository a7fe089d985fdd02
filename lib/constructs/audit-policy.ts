import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, relative, resolve, sep } from 'node:path';
import { App, Yaml } from 'cdk8s';
import { Construct } from 'constructs';
import { auditRules } from '../manifests/audit-rules';
import { checked, instanceOf, listOf, Shape, struct } from '../support/kinds';
import { checkedAt, checkText, refuse } from '../support/text';
import { AgentGateway } from './agent-gateway';

/** Properties of an `AuditPolicy`. */
export interface AuditPolicyProps {
  /** The gateways whose namespaces and ServiceAccounts the policy watches. */
  readonly gateways: AgentGateway[];
}

const SHAPE: Shape<AuditPolicyProps> = { gateways: listOf(instanceOf(AgentGateway)) };
const PROPS = struct('AuditPolicyProps', SHAPE);

/**
 * An audit policy for the API server: every use of a gateway's ServiceAccount and every touch of its Secrets is
 * recorded, no secret value is, and failed authentication is not lost. It is a file for `--audit-policy-file`,
 * never an API object; EKS, GKE and AKS do not take one.
 *
 * @see https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/
 */
export class AuditPolicy extends Construct {
  private readonly gateways: AgentGateway[];

  constructor(scope: Construct, id: string, props: AuditPolicyProps) {
    super(scope, id);
    this.gateways = checkedAt(this.node.path, () => checkedGateways(checked(props, PROPS)));
  }

  /** The policy as YAML text. */
  public toYaml(): string {
    return Yaml.stringify({
      apiVersion: 'audit.k8s.io/v1',
      kind: 'Policy',
      // Only this stage: a failed authentication is recorded at ResponseStarted.
      omitStages: ['RequestReceived'],
      omitManagedFields: true,
      rules: auditRules(
        this.gateways.map(({ namespaceName, serviceAccountName }) => ({
          namespace: namespaceName,
          serviceAccount: serviceAccountName,
        })),
      ),
    });
  }

  /**
   * Writes the policy to a file. Refuses a YAML file in the output directory of the app: `kubectl apply` and
   * Helm take all of them for API objects.
   */
  public save(path: string): void {
    checkText('path', path);
    const outdir = resolve(App.of(this).outdir);
    const inside = relative(outdir, resolve(path));
    if (/\.ya?ml$/.test(path) && inside !== '..' && !inside.startsWith(`..${sep}`)) {
      refuse({
        where: 'path',
        want: `must not be a YAML file under ${outdir}, whose files are applied to the cluster`,
        got: path,
        next: 'for example "audit/policy.yaml"',
      });
    }
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, this.toYaml());
  }
}

function checkedGateways({ gateways }: AuditPolicyProps): AgentGateway[] {
  if (gateways.length > 0) return [...gateways];
  return refuse({ where: 'gateways', want: 'must list at least one gateway', got: gateways });
}
