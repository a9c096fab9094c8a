/** One message of `haproxy -c`, of an HAProxy that could not start, or of our own look at its addresses. */
export interface ConfigMessage {
  readonly severity: 'error' | 'warning';
  readonly text: string;
  /** Line of the checked file, counted from 1, where HAProxy names one. */
  readonly line?: number;
  /** Nobody can listen on an address of that line, for now: the rest of the file is fine. */
  readonly isAddress?: true;
  /** The process that would load the file may not open enough files, for now. */
  readonly isLimit?: true;
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

/** `[ALERT] (6515) : Binding [/path/x.cfg:29] for frontend web: cannot bind socket (Address already in use) for [...]` */
const bindFailure = /^\[ALERT\]\s+\(\d+\) : Binding \[[^\]]*?:(?<line>\d+)\] for (?<text>.*)$/;

/** Reads which addresses kept an HAProxy from starting, out of what it wrote on stderr. */
export function parseBindFailures(output: string): readonly ConfigMessage[] {
  return output.split('\n').flatMap((line): ConfigMessage[] => {
    const { line: number, text = '' } = bindFailure.exec(line.trimEnd())?.groups ?? {};
    return number === undefined ? [] : [{ severity: 'error', text, line: Number(number), isAddress: true }];
  });
}
