import { Refusal, type Reply } from '@smartstack/agent';
import type { ControlResult } from '../control.js';
import { type ApiDeps, unknownService } from './deps.js';

type Done = Omit<Extract<ControlResult, { kind: 'done' }>, 'kind'>;

/** The answer to an order, or a Refusal: 404 for an unknown service, `status` when it is not possible. */
export function answerOf({ services }: ApiDeps, result: ControlResult, status = 400): Reply<Done> {
  switch (result.kind) {
    case 'done': {
      const { services: concerned, stillDrained, saved } = result;
      return { value: { services: concerned, stillDrained, saved } };
    }
    case 'unknown service':
      throw unknownService(
        result.service,
        services.definitions.map(({ name }) => name),
      );
    case 'invalid':
      throw new Refusal(status, result.problem);
  }
}
