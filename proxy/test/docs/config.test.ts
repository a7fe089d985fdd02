import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configSchema } from '../../src/config/schema.js';

const file = join(import.meta.dirname, '..', '..', '..', 'docs', 'reference', 'config.md');

interface Def {
  type: string;
  innerType?: Schema;
  element?: Schema;
  shape?: Record<string, Schema>;
  options?: Schema[];
  values?: unknown[];
  entries?: Record<string, unknown>;
  defaultValue?: unknown;
  checks?: { _zod: { def: { error?: () => string } } }[];
}
interface Schema {
  _zod: { def: Def };
}

/** One row a leaf: where it stands, what it takes, what it is when left out. */
function rows({ _zod: { def } }: Schema, path: string, fallback = 'required'): string[] {
  const row = (type: string) => [`| \`${path}\` | ${type} | ${fallback} |`];
  switch (def.type) {
    case 'default':
      return rows(def.innerType!, path, `\`${JSON.stringify(def.defaultValue)}\``);
    case 'prefault':
      return rows(def.innerType!, path);
    case 'optional':
      return rows(def.innerType!, path, 'absent');
    case 'object':
      return [
        ...(fallback === 'required' || path === '' ? [] : [`| \`${path}\` | object | ${fallback} |`]),
        ...Object.entries(def.shape!).flatMap(([key, member]) =>
          rows(member, path === '' ? key : `${path}.${key}`),
        ),
      ];
    case 'array':
      return def.element!._zod.def.type === 'object' || def.element!._zod.def.options !== undefined
        ? rows(def.element!, `${path}[]`, fallback)
        : row([`list of ${typeOf(def.element!)}`, ...wants(def)].join('; '));
    case 'union':
      return def.options!.flatMap((option) => {
        const tag = Object.entries(option._zod.def.shape ?? {}).find(
          ([, member]) => member._zod.def.type === 'literal',
        );
        return rows(
          option,
          tag === undefined ? path : `${path}{${String(tag[1]._zod.def.values![0])}}`,
          fallback,
        );
      });
    default:
      return row(typeOf({ _zod: { def } }));
  }
}

function typeOf({ _zod: { def } }: Schema): string {
  if (def.type === 'enum')
    return Object.values(def.entries!)
      .map((v) => `\`${String(v)}\``)
      .join(', ');
  if (def.type === 'literal') return def.values!.map((v) => `\`${JSON.stringify(v)}\``).join(', ');
  const [want, ...others] = wants(def);
  if (def.type === 'number') return [want!.replace('must be a ', ''), ...others].join('; ');
  return [def.type, ...wants(def)].join('; ');
}

/** What the checks of a value say that it must be. */
const wants = ({ checks = [] }: Def) => checks.map((check) => check._zod.def.error!());

it('docs/reference/config.md is the schema', () => {
  const page = `# The gateway's config file

What the constructs write and \`agw serve --config\` reads: JSON. Units are in the names. \`[]\` is a list, \`{x}\`
the kind of a choice. The meaning of each key stands in \`proxy/src/config/schema.ts\`, from which
\`proxy/test/docs/config.test.ts\` writes this page. \`agw check --config FILE\` names every fault of a file.

| key | takes | when left out |
|---|---|---|
${rows(configSchema as unknown as Schema, '').join('\n')}
`;
  if (process.env.UPDATE_DOCS === '1') writeFileSync(file, page);
  expect(readFileSync(file, 'utf8')).toBe(page);
});
