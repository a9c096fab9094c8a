/** One message of `haproxy -c`. */
export interface ConfigMessage {
  readonly severity: 'error' | 'warning';
  readonly text: string;
  /** Line of the checked file, counted from 1, where HAProxy names one. */
  readonly line?: number;
}

/** `[ALERT]    (7842) : config : [/path/x.cfg:17] : 'server web/a' : unknown keyword ...` */
const message =
  /^\[(ALERT|WARNING)\]\s+\(\d+\) : (?:config : )?(?:parsing )?(?:\[(?<place>[^\]]*?):(?<line>\d+)\]\s*:?\s*)?(?<text>.*)$/;
/** Sums up the messages before it, and names nobody. */
const summary =
  /^(Error\(s\) found in configuration file|Fatal errors found in configuration|config : Fatal errors)/;

/** Reads what `haproxy -c` wrote on stderr. Lines that are no message (notices, continuations) are left out. */
export function parseConfigMessages(output: string): readonly ConfigMessage[] {
  return output.split('\n').flatMap((line): ConfigMessage[] => {
    const found = message.exec(line.trimEnd());
    if (found?.groups === undefined) return [];
    const { text = '', line: number } = found.groups;
    if (summary.test(text)) return [];
    return [
      {
        severity: found[1] === 'ALERT' ? 'error' : 'warning',
        text,
        ...(number !== undefined && { line: Number(number) }),
      },
    ];
  });
}
