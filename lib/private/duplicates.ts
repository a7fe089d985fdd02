import { ApiObject } from 'cdk8s';
import { Construct } from 'constructs';
import { Fault } from './text';

/** An object of this construct that an earlier one emits too: whichever is applied last would win, in silence. One is enough to tell of each construct. */
export function duplicateFaults(scope: Construct): Fault[] {
  const objects = scope.node.root.node
    .findAll()
    .filter((construct): construct is ApiObject => ApiObject.isApiObject(construct));
  for (const mine of objects.filter(({ node }) => node.scope === scope)) {
    const key = identity(mine);
    const other = objects.find((object) => identity(object) === key);
    if (key !== undefined && other !== undefined && other !== mine) {
      return [
        {
          where: key,
          want: 'must be emitted once',
          got: other.node.scope!.node.path,
          next: 'give one of the two another name, or leave it out',
        },
      ];
    }
  }
  return [];
}

/** As kubectl says it; absent for a name that its content makes. The metadata of an object of the cluster still has its chart's namespace. */
function identity({ kind, name, metadata }: ApiObject): string | undefined {
  const namespace = /^(Namespace$|Cluster|ValidatingAdmissionPolicy)/.test(kind)
    ? undefined
    : metadata.namespace;
  return typeof name === 'string' ? `${kind} ${[namespace, name].filter(Boolean).join('/')}` : undefined;
}
