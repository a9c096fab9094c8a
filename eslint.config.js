import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

const timeRules = [
  {
    selector: "MemberExpression[object.name='Date'][property.name='now']",
    message: 'Use the injected Clock.',
  },
  { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: 'Use the injected Clock.' },
  {
    selector: 'CallExpression[callee.name=/^(setTimeout|setInterval)$/]',
    message: 'Use the injected Clock.',
  },
];
const processRules = [
  {
    selector: "MemberExpression[object.name='process'][property.name=/^(exit|on|once|argv|exitCode)$/]",
    message: 'Only main.ts touches signals, argv and exit codes.',
  },
];

export default defineConfig(
  {
    ignores: [
      '**/dist/**',
      '**/node_modules/**',
      'coverage/**',
      '**/testdata/**',
      // Three lines of CommonJS each, which the rules for modules cannot judge.
      'packages/*/bin/*.js',
      '.dependency-cruiser.cjs',
      'eslint.config.js',
    ],
  },
  ...tseslint.configs.strictTypeChecked,
  ...tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: {
      parserOptions: {
        // One program for nearly everything: what packages share is read and checked once.
        project: ['tsconfig.check.json', 'packages/synapse/src/dashboard/browser/tsconfig.json'],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      '@typescript-eslint/no-floating-promises': ['error', { ignoreVoid: false }],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: false },
      ],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/prefer-promise-reject-errors': 'off',
      '@typescript-eslint/prefer-nullish-coalescing': ['error', { ignorePrimitives: { string: true } }],
      // False alarms on types that a library declares as interfaces beside a class of that name.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      'no-restricted-syntax': ['error', ...timeRules, ...processRules],
      'max-lines': ['error', { max: 300 }],
    },
  },
  {
    files: [
      'packages/agent/src/clock.ts',
      'packages/agent/src/testing/**',
      'packages/synapse/src/dashboard/browser/clock.ts',
    ],
    rules: { 'no-restricted-syntax': ['error', ...processRules] },
  },
  {
    // hangups.ts is the first that either main.ts, or the executable before it, imports.
    files: ['packages/*/src/main.ts', 'packages/agent/src/hangups.ts'],
    rules: { 'no-restricted-syntax': ['error', ...timeRules] },
  },
  {
    // Tests and the test bed live in real time and own their process.
    files: ['integration/**', '**/*.test.ts'],
    rules: {
      'no-restricted-syntax': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/require-await': 'off',
    },
  },
);
