/** An instance's line of an upstream. */
export interface ServerLine {
  /** `host:port`, as nginx takes it. */
  readonly address: string;
  /** What is of the instance itself: its weight, or that it takes nothing. */
  readonly own: string;
}

/** One line of the file. */
export interface Line {
  readonly text: string;
  /** Set when it stands for an instance. */
  readonly server?: ServerLine;
}

/** The lines of one service, as they stand in `http` or `stream`. */
export interface Section {
  readonly service: string;
  readonly context: 'http' | 'stream';
  readonly lines: readonly Line[];
}

/** In an upstream that has nobody: nginx takes no empty one, and lines of the operator's may name it. */
export const placeholder: Line = { text: '\t\tserver 127.0.0.1:9 down;' };

/** What the server of an `http` service does with every request that its own lines do not take. */
export function answerLine(upstream: string, isEmpty: boolean): Line {
  return { text: `\t\t\t${isEmpty ? 'return 503' : `proxy_pass http://${upstream}`};` };
}

/** The line of an instance, with the operator's options. */
export function serverLine(server: ServerLine, options: string): Line {
  const words = [`\t\tserver ${server.address}`, options, server.own].filter((word) => word !== '');
  return { text: `${words.join(' ')};`, server };
}

/** Everything of a section that is not said of an instance: as long as it is the same, so is what nginx thinks of it. */
export function fingerprint(section: Section): string {
  const options = new Set(section.lines.flatMap((line) => (line.server ? [optionsOf(line)] : [])));
  const others = section.lines.filter(({ server, text }) => server === undefined && !isFilling(text));
  return JSON.stringify([section.context, others.map(({ text }) => text), [...options]]);
}

/**
 * `old` with the instances of `now`: a service whose new lines are bad goes on following them. Undefined where `old`
 * has no place for them.
 */
export function withServersOf(now: Section, old: Section): Section | undefined {
  const servers = now.lines.flatMap(({ server }) => server ?? []);
  const name = old.lines.map(({ text }) => /^\tupstream (\S+) \{$/.exec(text)?.[1]).find(Boolean);
  const listens = ({ lines }: Section): boolean => lines.some(({ text }) => text === '\tserver {');
  if (name === undefined || (old.context === 'stream' && listens(old) !== listens(now))) return undefined;
  const before = old.lines.find(({ server }) => server !== undefined);
  const options = before === undefined ? '' : optionsOf(before);
  const isEmpty = servers.length === 0;
  const filling = isEmpty ? [placeholder] : servers.map((server) => serverLine(server, options));
  const isReplaced = ({ server, text }: Line): boolean => server !== undefined || text === placeholder.text;
  const at = old.lines.findIndex(isReplaced);
  if (at < 0) return undefined;
  const lines = old.lines.flatMap((line, index) => {
    if (/^\t\t\t(return 503|proxy_pass \S+);$/.test(line.text)) return [answerLine(name, isEmpty)];
    if (!isReplaced(line)) return [line];
    return index === at ? filling : [];
  });
  return { ...old, lines };
}

/** Reads a line of an upstream; as it is, when it is no instance's. */
export function parseLine(text: string): Line {
  const [, address, rest = ''] = /^\t\tserver (\S+:\d+)( [^{]*)?;$/.exec(text) ?? [];
  if (address === undefined || text === placeholder.text) return { text };
  const own = rest.split(' ').filter(isOwn).join(' ');
  return { text, server: { address, own } };
}

function optionsOf({ text }: Line): string {
  const words = text.trim().replace(/;$/, '').split(' ').slice(2);
  return words.filter((word) => word !== '' && !isOwn(word)).join(' ');
}

function isOwn(word: string): boolean {
  return /^(weight=\d+|down)$/.test(word);
}

function isFilling(text: string): boolean {
  return text === placeholder.text || /^\t\t\t(return 503|proxy_pass \S+);$/.test(text);
}
