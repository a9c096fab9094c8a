/** Levels at which HAProxy says nothing of a request, unless an option or a rule raises that. */
const aboveRequests = new Set(['emerg', 'alert', 'crit', 'err', 'warning', 'notice']);

type Words = readonly (readonly string[])[];

const wordsOf = (line: string): readonly string[] => line.trim().split(/\s+/);

/** Defaults are those of many frontends. */
const known = new WeakMap<readonly string[], Words>();

/** What holds for a frontend: its defaults, and its own lines after them. */
function wordsOfAll(defaults: readonly string[], lines: readonly string[]): Words {
  const before = known.get(defaults) ?? defaults.map(wordsOf);
  known.set(defaults, before);
  return [...before, ...lines.map(wordsOf)];
}

/** Whether a `log` line wants lines about requests: from level info on. */
function takesRequests([, , ...rest]: readonly string[]): boolean {
  let at = 0;
  while (['len', 'format', 'sample'].includes(rest[at] ?? '')) at += 2;
  // The facility, then the level; HAProxy's default is all.
  return !aboveRequests.has(rest[at + 1] ?? '');
}

const isOn = (lines: Words, option: string): boolean => {
  let on = false;
  for (const [first, second, third] of lines) {
    if (first === 'option' && second === option) on = true;
    if (first === 'no' && second === 'option' && third === option) on = false;
  }
  return on;
};

/**
 * The first line by which the operator has requests logged, of those that hold for a frontend; undefined when there is
 * none, so that nothing of his is lost when HAProxy is silent about requests.
 */
export function ownLog(
  global: readonly string[],
  defaults: readonly string[],
  lines: readonly string[],
): string | undefined {
  // Errors are raised to a level that any target takes.
  const all = wordsOfAll(defaults, lines);
  const raises = isOn(all, 'log-separate-errors');
  const wants = (words: readonly string[]): boolean => raises || takesRequests(words);
  const globals = global.map(wordsOf).filter(([first]) => first === 'log');
  const hasGlobal = globals.some(wants);
  let found: string | undefined;
  for (const [index, words] of all.entries()) {
    if (words[0] === 'no' && words[1] === 'log') found = undefined;
    if (words[0] !== 'log') continue;
    const isWanted = words[1] === 'global' ? hasGlobal : wants(words);
    if (isWanted) found ??= (defaults[index] ?? lines[index - defaults.length])?.trim();
  }
  return found;
}

/** The first line of a frontend by which the operator says how requests are logged. */
export function ownFormat(lines: readonly string[]): string | undefined {
  return lines
    .find((line) =>
      /^\s*(log-format(-sd)?|error-log-format|option\s+(httplog|httpslog|tcplog|clf))\b/.test(line),
    )
    ?.trim();
}

/** The first line that changes at which level a request is logged. */
export function ownLevel(lines: readonly string[]): string | undefined {
  return lines.find((line) => /\bset-log-level\b/.test(line))?.trim();
}

/** Lines that undo options of these, which would have HAProxy say less of a request, or too early; connections without one are none. */
export function optionsAgainst(defaults: readonly string[], lines: readonly string[]): readonly string[] {
  const all = wordsOfAll(defaults, lines);
  return [
    ...['dontlog-normal', 'logasap']
      .filter((option) => isOn(all, option))
      .map((option) => `no option ${option}`),
    ...(isOn(all, 'dontlognull') ? [] : ['option dontlognull']),
  ];
}
