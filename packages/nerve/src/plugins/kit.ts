import { definedBy as definedWith } from '@smartstack/agent/plugins';

/** What modules get, for nothing of nerve can be imported from outside. */
async function kit() {
  const { z, values } = await import('../checks/clients/zod.js');
  return { z, values };
}

/** What a module defines: its default export, or what that makes of the tools that it is handed. */
export async function definedBy(
  exported: Readonly<Record<string, unknown>>,
  tools: Readonly<Record<string, unknown>>,
): Promise<unknown> {
  return definedWith(exported, { ...(await kit()), ...tools });
}
