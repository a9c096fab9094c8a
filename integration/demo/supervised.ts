import { startProcess, type Child } from '../harness/childProcess.ts';

/** How one process of the demo is run. */
export interface SupervisedOptions {
  readonly name: string;
  readonly command: readonly string[];
  readonly logFile: string;
  /** Starts it again this long after it ended by itself or was killed; undefined: it stays down. */
  readonly restartAfterMs?: number;
  /** Called with a sentence for people. */
  readonly onEvent: (text: string) => void;
}

/** A process that the demo starts and, like systemd on a VM, starts again when someone kills it. */
export class Supervised {
  private child: Child | undefined;
  private timer: NodeJS.Timeout | undefined;
  private stopping = false;

  constructor(private readonly options: SupervisedOptions) {}

  get name(): string {
    return this.options.name;
  }

  /** Undefined while it does not run. */
  get pid(): number | undefined {
    return this.child?.running ? this.child.pid : undefined;
  }

  start(): void {
    const { name, command, logFile, restartAfterMs, onEvent } = this.options;
    this.stopping = false;
    const child = startProcess('sh', ['-c', 'exec "$@" >>"$0" 2>&1', logFile, ...command]);
    this.child = child;
    child.exited.then(
      (how) => {
        if (this.stopping) return;
        const then = restartAfterMs === undefined ? '' : `; starts again in ${restartAfterMs / 1000} s`;
        const result = typeof how === 'number' ? `exit code ${how}` : how;
        onEvent(`${name} (pid ${child.pid}) ended: ${result}${then}`);
        if (restartAfterMs !== undefined) this.timer = setTimeout(() => this.start(), restartAfterMs);
      },
      (error: unknown) => onEvent(`${name}: ${String(error)}`),
    );
  }

  /** Ends it for good: SIGTERM unless told, SIGKILL when that does not help. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.stopping = true;
    clearTimeout(this.timer);
    await this.child?.stop(signal);
  }
}
