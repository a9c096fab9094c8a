import { Refusal, type Reply } from '@smartstack/agent';
import type { ControlResult } from '../control.js';
import { type ApiDeps, noService } from './deps.js';

type Done = Omit<Extract<ControlResult, { kind: 'done' }>, 'kind'>;

/** The answer to an order, or a Refusal: 404 for an unknown service, 400 or 409 when it cannot be done. */
export function answerOf({ services }: ApiDeps, result: ControlResult): Reply<Done> {
  switch (result.kind) {
    case 'done': {
      const { services: concerned, stillDrained, saved } = result;
      return { value: { services: concerned, stillDrained, saved } };
    }
    case 'unknown service':
      throw noService({ services }, result.service);
    case 'invalid':
      throw new Refusal(400, result.problem);
    case 'impossible':
      throw new Refusal(409, result.problem);
  }
}
