import type { Connection as Reached } from '@smartstack/agent/cli';

/** How a command reaches the running agent, and how it prints the answer. */
interface Connection extends Reached {
  readonly output: 'table' | 'json';
}

/** What is asked for beside running the agent. */
export type Action =
  | ({ readonly kind: 'status'; readonly service: string | undefined } & Connection)
  | ({
      readonly kind: 'drain';
      /** Undefined: the whole host. */
      readonly service: string | undefined;
      readonly reason: string | undefined;
      readonly for: string | undefined;
      readonly until: string | undefined;
      /** Have nerve shut the app down after that. */
      readonly shutdown: boolean;
      readonly wait: boolean;
      readonly timeout: string;
    } & Connection)
  | ({ readonly kind: 'undrain'; readonly service: string | undefined } & Connection)
  | ({
      readonly kind: 'weight';
      readonly service: string;
      /** Undefined: show it. */
      readonly change: number | 'clear' | undefined;
    } & Connection)
  | {
      readonly kind: 'probe';
      readonly service: string;
      readonly file: string;
      readonly instanceId: string | undefined;
      readonly output: 'table' | 'json';
    }
  | {
      readonly kind: 'lint';
      readonly file: string;
      readonly instanceId: string | undefined;
      /** Warnings count, too. */
      readonly strict: boolean;
      readonly output: 'table' | 'json';
    }
  | {
      readonly kind: 'init';
      /** Undefined: stdout. */
      readonly file: string | undefined;
    };

/** What the command line and the environment ask for. */
export type Command =
  | {
      readonly kind: 'run' | 'check';
      readonly file: string;
      readonly instanceId: string | undefined;
      readonly shadow: boolean;
    }
  | { readonly kind: 'help' | 'version'; readonly text: string }
  | { readonly kind: 'action'; readonly action: Action }
  /** It makes no sense; `text` says why. */
  | { readonly kind: 'usage'; readonly text: string };

export type Environment = Readonly<Record<string, string | undefined>>;

/** What the flags ask for, with the environment for those that are not given. */
export function toCommand(
  flags: {
    readonly file?: string | undefined;
    readonly instanceId?: string | undefined;
    readonly check?: boolean | undefined;
    readonly shadow?: boolean | undefined;
  },
  env: Environment,
): Command {
  const file = flags.file || env.NERVE_CONFIG;
  if (!file) return { kind: 'usage', text: 'no configuration: give --config or NERVE_CONFIG' };
  const instanceId = flags.instanceId ?? env.NERVE_INSTANCE_ID;
  // Ruby: any value is true, even 0 and the empty one.
  const check = flags.check ?? env.NERVE_CHECK_CONFIG !== undefined;
  return { kind: check ? 'check' : 'run', file, instanceId, shadow: flags.shadow === true };
}

/**
 * Understands the command lines of unit files, `-c FILE` and no more, without the parser of all others, whose
 * loading would take a fifth of the start. Undefined for any other.
 */
export function plainCommand(args: readonly string[], env: Environment): Command | undefined {
  const [flag, file, ...rest] = args;
  if ((flag !== '-c' && flag !== '--config') || !file || file.startsWith('-') || rest.length > 0)
    return undefined;
  return toCommand({ file }, env);
}
