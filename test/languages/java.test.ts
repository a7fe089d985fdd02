/** The library for Java, compiled with what it stands on, and the quickstart. npm run test:languages */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { blocksOf, fetched, generateSources, run, types, versionOf } from './bindings';
import { dir, folder, GUIDE, quickstart, synthesized, withFetched } from './quickstart';

const sources = join(dir, 'sources');
const PLUS = join('org', 'cdk8s', 'plus28');

/** The jars that the sources need, as Maven resolves them. */
function javaClasspath(): string {
  const where = folder('maven');
  const dependency = (group: string, artifact: string, version: string) =>
    `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</` +
    'version></dependency>';
  writeFileSync(
    join(where, 'pom.xml'),
    `<project xmlns="http://maven.apache.org/POM/4.0.0">
      <modelVersion>4.0.0</modelVersion>
      <groupId>test</groupId><artifactId>languages</artifactId><version>1</version>
      <dependencies>
        ${dependency('software.amazon.jsii', 'jsii-runtime', versionOf('jsii-pacmak'))}
        ${dependency('org.jetbrains', 'annotations', '19.0.0')}
        ${dependency('javax.annotation', 'javax.annotation-api', '1.3.2')}
      </dependencies>
    </project>`,
  );
  run('mvn', ['-q', '-B', 'dependency:build-classpath', '-Dmdep.outputFile=classpath'], where);
  return readFileSync(join(where, 'classpath'), 'utf8').trim();
}

withFetched('Java', fetched('mvn', javaClasspath), (jars) => {
  it('compiles, and Main.java of the guide writes what main.ts of the README writes', () => {
    generateSources(['java'], sources);
    const where = folder('java');
    const written = join(sources, 'java', 'src', 'main');
    const files = readdirSync(join(written, 'java'), { recursive: true, encoding: 'utf8' })
      // Of cdk8s-plus-28, whose objects are many, what the library asks for.
      .filter((file) => file.endsWith('.java') && !file.startsWith(PLUS))
      .map((file) => `"${join(written, 'java', file)}"`);
    expect(files.length).toBeGreaterThan(types.length);
    writeFileSync(join(where, 'files'), files.join('\n'));
    const classes = [jars, 'classes', join(written, 'resources')].join(delimiter);
    const paths = ['-cp', jars, '-sourcepath', join(written, 'java'), '-d', 'classes'];
    run('javac', ['-nowarn', '-proc:none', ...paths, '@files'], where);
    writeFileSync(join(where, 'Main.java'), blocksOf(GUIDE, 'java')[0]);
    run('javac', ['-nowarn', '-proc:none', '-cp', classes, '-d', 'classes', 'Main.java'], where);
    run('java', ['-cp', classes, 'Main'], where);
    expect(synthesized(where)).toEqual(quickstart());
  }, 300_000);
});
