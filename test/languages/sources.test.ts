/** What jsii-pacmak writes for Java, Go and .NET, whether or not it can be compiled here. npm run test:languages */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { generateSources, types } from './bindings';
import { dir } from './quickstart';

const sources = join(dir, 'sources');
beforeAll(() => generateSources(['java', 'go', 'dotnet'], sources), 120_000);

describe('the sources', () => {
  /** The names of the files of a folder. */
  const filesOf = (path: string) => new Set(readdirSync(join(sources, path)));

  it.each([
    ['Java', 'java/src/main/java/io/github/cdk8sagentgateway', 'java'],
    ['Go', 'go/cdk8sagentgateway', 'go'],
    ['.NET', 'dotnet/Cdk8sAgentGateway/Cdk8sAgentGateway', 'cs'],
  ])('of %s have a file for every public type', (_, path, extension) => {
    const files = filesOf(path);
    expect(types.length).toBeGreaterThan(50);
    expect(types.filter(({ name }) => !files.has(`${name}.${extension}`))).toEqual([]);
  });
  it('of .NET are of one namespace and package', () => {
    const project = readFileSync(
      join(sources, 'dotnet', 'Cdk8sAgentGateway', 'Cdk8sAgentGateway.csproj'),
      'utf8',
    );
    expect(project).toContain('<PackageId>Cdk8sAgentGateway</PackageId>');
    const text = readFileSync(
      join(sources, 'dotnet', 'Cdk8sAgentGateway', 'Cdk8sAgentGateway', 'AgentGateway.cs'),
      'utf8',
    );
    expect(text).toContain('namespace Cdk8sAgentGateway\n');
    expect(text).toContain('public class AgentGateway :');
  });
  it.skip('of .NET compile, since there is no SDK of .NET on the machines of this project', () => {});
});
