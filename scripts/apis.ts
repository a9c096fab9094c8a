import { openApi } from '../packages/agent/src/admin/openApi.ts';
import { standardRoutes } from '../packages/agent/src/admin/routes.ts';
import type { AdminRoute } from '../packages/agent/src/index.ts';
import { apiRoutes as nerveRoutes } from '../packages/nerve/src/api/index.ts';
import { version as nerveVersion } from '../packages/nerve/src/version.ts';
import { apiRoutes as synapseRoutes } from '../packages/synapse/src/api.ts';
import { version as synapseVersion } from '../packages/synapse/src/version.ts';

function described(name: string, version: string, own: readonly AdminRoute[]): object {
  // Nobody asks these for an answer.
  const agent = { name, version } as Parameters<typeof standardRoutes>[0];
  return openApi(agent, [...standardRoutes(agent, () => Promise.resolve([])), ...own]);
}

/** The OpenAPI documents of the agents' HTTP interfaces, by file name in config/schema/. */
export const apis: Readonly<Record<string, object>> = {
  'nerve-api.json': described('nerve', nerveVersion, nerveRoutes({} as Parameters<typeof nerveRoutes>[0])),
  'synapse-api.json': described(
    'synapse',
    synapseVersion,
    synapseRoutes({ tap: { needsToken: false } } as Parameters<typeof synapseRoutes>[0]),
  ),
};
