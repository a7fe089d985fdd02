/** The library for Go, compiled with what it stands on, and the quickstart. npm run test:languages */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { blocksOf, fetched, generateSources, run } from './bindings';
import { dir, folder, GUIDE, quickstart, synthesized, withFetched } from './quickstart';

const sources = join(dir, 'sources');
generateSources(['go'], sources);

const GO_MODULES = {
  'github.com/aws/constructs-go/constructs/v10': 'constructs',
  'github.com/cdk8s-team/cdk8s-core-go/cdk8s/v2': 'cdk8s',
  'github.com/cdk8s-team/cdk8s-plus-go/cdk8splus28/v2': 'cdk8splus28',
  'github.com/cdk8s-agentgateway/cdk8s-agentgateway-go/cdk8sagentgateway': 'cdk8sagentgateway',
};

/** A module with the guide's program, which takes the sources written here for what they are written of. */
function goProgram(): string {
  const where = folder('go');
  const replaced = Object.entries(GO_MODULES).map(
    ([path, name]) => `replace ${path} => ${join(sources, 'go', name)}`,
  );
  writeFileSync(join(where, 'go.mod'), ['module quickstart', 'go 1.25', ...replaced, ''].join('\n'));
  writeFileSync(join(where, 'main.go'), blocksOf(GUIDE, 'go')[0]);
  run('go', ['mod', 'tidy'], where);
  return where;
}

withFetched('Go', fetched('go', goProgram), (where) => {
  it('compiles and is vetted, and main.go of the guide writes what main.ts of the README writes', () => {
    run('go', ['build', '-o', 'quickstart', '.'], where);
    run('go', ['vet', '.', Object.keys(GO_MODULES).at(-1)!], where);
    run(join(where, 'quickstart'), [], where);
    expect(synthesized(where)).toEqual(quickstart());
  }, 300_000);
});
