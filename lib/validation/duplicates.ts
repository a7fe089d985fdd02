import { ApiObject } from 'cdk8s';
import { Construct } from 'constructs';
import { AppRegistry, identityOf } from '../spec/app-registry';
import { Violation } from '../support/text';

/**
 * Objects of this construct that an earlier one emits too: whichever is applied last would win, in silence.
 * One of them is enough for a report.
 */
export function duplicateViolations(scope: Construct): Violation[] {
  const registry = AppRegistry.of(scope);
  for (const object of scope.node.children.filter(ApiObject.isApiObject)) {
    const identity = identityOf(object);
    const first = identity === undefined ? undefined : registry.firstObject(identity);
    if (first !== undefined && first !== object) {
      return [
        {
          where: identity!,
          want: 'must be emitted once',
          got: first.node.scope!.node.path,
          next: 'give one of the two another name, or leave it out',
        },
      ];
    }
  }
  return [];
}
