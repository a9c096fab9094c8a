/** What the command line and the environment ask for. */
export type Command =
  | { readonly kind: 'run' | 'check'; readonly file: string; readonly instanceId: string | undefined }
  | { readonly kind: 'help' | 'version'; readonly text: string }
  /** It makes no sense; `text` says why. */
  | { readonly kind: 'usage'; readonly text: string };

export type Environment = Readonly<Record<string, string | undefined>>;

/** What the flags ask for, with the environment for those that are not given. */
export function toCommand(
  flags: {
    readonly file?: string | undefined;
    readonly instanceId?: string | undefined;
    readonly check?: boolean | undefined;
  },
  env: Environment,
): Command {
  const file = flags.file || env.NERVE_CONFIG;
  if (!file) return { kind: 'usage', text: 'no configuration: give --config or NERVE_CONFIG' };
  const instanceId = flags.instanceId ?? env.NERVE_INSTANCE_ID;
  // Ruby: any value is true, even 0 and the empty one.
  const check = flags.check ?? env.NERVE_CHECK_CONFIG !== undefined;
  return { kind: check ? 'check' : 'run', file, instanceId };
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
