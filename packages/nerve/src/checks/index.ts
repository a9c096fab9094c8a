import * as z from 'zod';
import type { Asked, Check, CheckContext, OptionProblem } from './check.js';
import { execCheck } from './exec.js';
import { httpCheck } from './http.js';
import { noopCheck } from './noop.js';
import { systemdCheck } from './systemd.js';
import { tcpCheck } from './tcp.js';

export type { Asked } from './check.js';

/** Every kind of check there is: the only list. */
const checks = {
  http: httpCheck,
  tcp: tcpCheck,
  exec: execCheck,
  systemd: systemdCheck,
  noop: noopCheck,
} as const;

/** One check as it stands in a service's `checks`; `type` says which options it has. */
export const checkSchema = z.discriminatedUnion('type', [
  checks.http.schema,
  checks.tcp.schema,
  checks.exec.schema,
  checks.systemd.schema,
  checks.noop.schema,
]);

/** A check's options, in camelCase, with their defaults. */
export type CheckOptions = z.output<typeof checkSchema>;

/** What is wrong with the files that the options name. */
export function checkProblems(options: CheckOptions, asked: Asked): Promise<readonly OptionProblem[]> {
  switch (options.type) {
    case 'http':
      return checks.http.problems(options, asked);
    case 'tcp':
      return checks.tcp.problems(options, asked);
    case 'exec':
      return checks.exec.problems(options, asked);
    case 'systemd':
      return checks.systemd.problems(options, asked);
    case 'noop':
      return checks.noop.problems(options, asked);
  }
}

/** Makes the check that the options describe. */
export function createCheck(options: CheckOptions, context: CheckContext): Check {
  switch (options.type) {
    case 'http':
      return checks.http.create(options, context);
    case 'tcp':
      return checks.tcp.create(options, context);
    case 'exec':
      return checks.exec.create(options, context);
    case 'systemd':
      return checks.systemd.create(options, context);
    case 'noop':
      return checks.noop.create(options, context);
  }
}
