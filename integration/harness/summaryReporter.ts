import type { SerializedError } from 'vitest';
import type { Reporter, TestModule } from 'vitest/node';

/** What one run of the tests came to. */
export interface Totals {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/**
 * Counts tests by their results. A file or suite that broke outside its tests, a test that the run never
 * reached and an unhandled error each count as a failure: nothing that went wrong can hide.
 */
export function countTests(
  modules: readonly TestModule[],
  unhandledErrors: readonly SerializedError[],
): Totals {
  let passed = 0;
  let failed = unhandledErrors.length;
  let skipped = 0;
  for (const module of modules) {
    failed += module.errors().length;
    for (const suite of module.children.allSuites()) failed += suite.errors().length;
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      if (state === 'passed') passed += 1;
      else if (state === 'skipped') skipped += 1;
      else failed += 1;
    }
  }
  return { passed, failed, skipped };
}

/** One line for each failure that `countTests` counts, with the beginning of why: what is looked for first, said last. */
export function failures(
  modules: readonly TestModule[],
  unhandledErrors: readonly SerializedError[],
): readonly string[] {
  const line = (where: string, message = 'never run'): string =>
    `failed: ${where}: ${(message.split('\n')[0] ?? '').slice(0, 200)}`;
  const found = modules.flatMap((module) => {
    const { relativeModuleId: file, children } = module;
    const broken = [...children.allSuites()].flatMap((suite) =>
      suite.errors().map(({ message }) => line(`${file} > ${suite.fullName}`, message)),
    );
    const tests = [...children.allTests()].flatMap((test) => {
      const { state, errors } = test.result();
      const isFine = state === 'passed' || state === 'skipped';
      return isFine ? [] : [line(`${file} > ${test.fullName}`, errors?.[0]?.message)];
    });
    return [...module.errors().map(({ message }) => line(file, message)), ...broken, ...tests];
  });
  return [...found, ...unhandledErrors.map(({ message }) => line('outside of tests', message))];
}

/** The line that ends `npm test`: `12 passed, 0 failed`, and `, 3 skipped` where some were. */
export function summaryLine({ passed, failed, skipped }: Totals): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

/** Vitest reporter that prints what failed and the summary line, after every other output of the run. */
export default class SummaryReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly SerializedError[]): void {
    const totals = summaryLine(countTests(modules, unhandledErrors));
    const lines = [...failures(modules, unhandledErrors), totals];
    process.once('exit', () => process.stdout.write(`${lines.join('\n')}\n`));
  }
}
