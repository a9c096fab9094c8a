import type { CatalogView } from '../../../catalog/types.js';
import type { HaproxyConfig } from '../block/schema.js';

/** What is linted: the blocks as they stand in the file, beside what was read of them. */
export interface LintInput {
  readonly raw: unknown;
  readonly config: HaproxyConfig;
  /** Blocks of the services, raw, by name. */
  readonly services: ReadonlyMap<string, unknown>;
  /** The services with an instance each, so that a server's line can be checked. */
  readonly view: CatalogView;
}
