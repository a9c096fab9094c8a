import type { AdminRoute, HealthReport } from '@smartstack/agent';
import * as z from 'zod';

/** go-synapse's `/ready`: what `/readyz` says, in a word. */
export function readyRoute(ready: () => HealthReport): AdminRoute {
  return {
    method: 'GET',
    path: '/ready',
    isOpen: true,
    doc: {
      summary: 'Whether the agent does its job at this moment, in a word',
      description: 'As go-synapse has it, true or false; prefer /readyz, which says why.',
      contentType: 'text/plain',
      response: z.string(),
      unready: 'It does not.',
    },
    handle: () => {
      const { ok } = ready();
      return { status: ok ? 200 : 503, contentType: 'text/plain; charset=utf-8', body: String(ok) };
    },
  };
}
