import { ApiObject } from 'cdk8s';
import { Construct } from 'constructs';
import { AppRegistry, identityOf } from '../spec/app-registry';
import { Violation } from '../support/text';

/**
 * Objects of this construct that another one emits too: whichever is applied last would win, in silence. One of
 * them is enough for a report. Of two constructs of this library the later one reports.
 *
 * @param reportsItself whether what emits this object has duplicates reported too
 */
export function duplicateViolations(
  scope: Construct,
  reportsItself: (object: ApiObject) => boolean,
): Violation[] {
  const registry = AppRegistry.of(scope);
  if (!registry.hasDuplicates(scope)) return [];
  for (const object of scope.node.children.filter(ApiObject.isApiObject)) {
    const identity = identityOf(object);
    const called = identity === undefined ? [] : registry.objectsCalled(identity);
    const before = called.slice(0, Math.max(0, called.indexOf(object)));
    const after = called.slice(called.indexOf(object) + 1).filter((each) => !reportsItself(each));
    const other = [...before, ...after].find((each) => each !== object);
    if (other !== undefined) {
      return [
        {
          where: identity!,
          want: 'must be emitted once',
          got: other.node.scope!.node.path,
          next: 'give one of the two another name, or leave it out',
        },
      ];
    }
  }
  return [];
}
