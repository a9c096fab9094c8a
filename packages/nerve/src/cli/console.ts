import type { Clock } from '@smartstack/agent';
import type { Plugins } from '@smartstack/agent/plugins';
import type { Environment } from './command.js';

/** What a command works with. */
export interface Console {
  readonly clock: Clock;
  readonly env: Environment;
  readonly plugins: Plugins;
  /** Characters in a line of the terminal; undefined where the output is none. */
  readonly width: number | undefined;
  /** One line, or several. */
  readonly print: (stream: 'stdout' | 'stderr', text: string) => void;
}
