/**
 * Loads an ES module by its URL at run time. In a module of its own, which a bundle shares with its
 * executable: the code of a bundle is a script, which knows require only.
 */
export function importModule(url: string): Promise<unknown> {
  return import(url);
}
