import { defaultName, defineCheck } from './check.js';
import { seconds, withDefault } from '../config/values.js';

/** Always passes: the service counts as up because nerve runs. */
export const noopCheck = defineCheck({
  type: 'noop',
  options: { timeout: withDefault(seconds, 0.1).describe('Accepted, without effect.') },
  create: (options, context) => ({
    name: options.name ?? defaultName('noop', options, context),
    deadlineMs: options.timeout * 1000,
    probe: (_signal, trace) => {
      trace?.step('noop', 'nothing is tested');
      return Promise.resolve({ ok: true });
    },
  }),
});
