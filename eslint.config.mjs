/**
 * What a reader must be able to rely on in every TypeScript file. Lines are prettier's; import directions are
 * dependency-cruiser's.
 */
import typescript from '@typescript-eslint/eslint-plugin';

const readable = {
  'max-lines-per-function': ['error', { max: 60, skipBlankLines: true, skipComments: true }],
  complexity: ['error', 12],
  'max-depth': ['error', 3],
  'no-nested-ternary': 'error',
  'max-len': ['error', { code: 120 }],
};
const exact = {
  eqeqeq: ['error', 'always', { null: 'ignore' }],
  'no-console': 'error',
  'no-param-reassign': 'error',
  'no-var': 'error',
  'prefer-const': 'error',
  'object-shorthand': 'error',
  '@typescript-eslint/no-shadow': 'error',
  '@typescript-eslint/return-await': 'error',
  '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
  '@typescript-eslint/prefer-readonly': 'error',
  // What is passed around is made of closures, which have no `this`; an interface may ask for a promise where one
  // answer is at hand.
  '@typescript-eslint/unbound-method': 'off',
  '@typescript-eslint/require-await': 'off',
  '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', ignoreRestSiblings: true }],
  // A number in a message is written as it is.
  '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
};

/**
 * A describe is a list of tests, not a function that somebody reads whole; manifests and answers are plain JSON, read
 * as they were written.
 */
const ofTests = {
  'max-lines-per-function': 'off',
  '@typescript-eslint/no-unsafe-argument': 'off',
  '@typescript-eslint/no-unsafe-assignment': 'off',
  '@typescript-eslint/no-unsafe-call': 'off',
  '@typescript-eslint/no-unsafe-member-access': 'off',
  '@typescript-eslint/no-unsafe-return': 'off',
  '@typescript-eslint/no-explicit-any': 'off',
  // One replay store answers at once, another later: what is awaited may be either.
  '@typescript-eslint/await-thenable': 'off',
};

/** What V8 does, and nobody sees. */
const ofTheRequestPath = {
  'no-restricted-syntax': [
    'error',
    {
      selector:
        'AssignmentExpression[left.type="MemberExpression"][right.type=/^(ArrowFunction|Function)Expression$/]',
      message:
        'V8 puts a function that is written to a property into the old generation, and keeps all that it reaches ' +
        'until a full collection. Name it first, or use Object.assign.',
    },
  ],
};

/** Which tsconfig checks which files; a later line counts more. */
const PROJECTS = {
  'lib/**/*.ts': 'tsconfig.json',
  '{apps,test}/**/*.ts': 'test/tsconfig.json',
  '{proxy,site,test/conformance,test/e2e}/**/*.ts': 'proxy/tsconfig.json',
};

export default [
  {
    ignores: [
      'assets/',
      'build/',
      'coverage/',
      'dist/',
      'manifests/',
      'site/.vitepress/',
      '**/node_modules/',
      '**/*.d.ts',
      '.projenrc.ts',
    ],
  },
  ...typescript.configs['flat/recommended-type-checked'].map((config) => ({ ...config, files: ['**/*.ts'] })),
  ...Object.entries(PROJECTS).map(([files, project]) => ({
    files: [files],
    languageOptions: { parserOptions: { project } },
    rules: { ...readable, ...exact },
  })),
  { files: ['proxy/src/**/*.ts'], rules: ofTheRequestPath },
  { files: ['{test,proxy/test}/**/*.ts'], rules: ofTests },
  // Programs of their own, which say on standard output where they listen.
  { files: ['test/e2e/peers/*.ts'], rules: { 'no-console': 'off' } },
];
