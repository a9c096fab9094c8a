import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '@smartstack/agent';
import { runCommand } from '@smartstack/agent/command';
import type { Finding } from '../../../catalog/types.js';
import { desiredState } from '../desired/desired.js';
import { emptyMemory } from '../desired/memory.js';
import { withPrepared } from '../desired/prepared.js';
import { render } from '../desired/render.js';
import { type ConfigMessage, parseConfigMessages } from '../file/configMessages.js';
import { parseSections } from '../live/sections.js';
import type { DesiredState } from '../types.js';
import type { LintInput } from './input.js';
import { retiredLine } from './rewrite.js';
import { linesAt } from './serviceRules.js';

/** For one run of the executable, in milliseconds. */
const timeoutMs = 30_000;

/** What the HAProxy that is installed says of the file that the configuration leads to. */
export async function checkRendered(
  input: LintInput,
  clock: Clock,
): Promise<{ readonly version: string | undefined; readonly findings: readonly Finding[] }> {
  const { config, view } = input;
  const asked = await runCommand(config.haproxyBinary, ['-v'], { clock, timeoutMs });
  const version = /^HA-?Proxy version (\S+)/m.exec(asked.output)?.[1];
  if (version === undefined) {
    const why = asked.problem ?? `it exits with ${asked.exitCode ?? 'a signal'}`;
    const message = `${config.haproxyBinary} -v says nothing (${why}): no line was tried`;
    return { version, findings: [{ path: ['haproxy_binary'], message, severity: 'warning' }] };
  }
  const { desired, issues } = desiredState(config, withPrepared(view, config), emptyMemory, new Map(), 0);
  const left = issues
    // What is dropped is found with its place.
    .filter(
      ({ severity, reason, service }) =>
        severity === 'error' && service !== undefined && !reason.includes('lint'),
    )
    .map(({ service = '', reason }): Finding => ({ service, path: [], message: reason, severity: 'error' }));
  const text = render(desired);
  const messages = await haproxyCheck(config.haproxyBinary, text, clock);
  return { version, findings: [...left, ...placed(messages, text, desired, input, version)] };
}

async function haproxyCheck(binary: string, text: string, clock: Clock): Promise<readonly ConfigMessage[]> {
  const folder = await mkdtemp(join(tmpdir(), 'synapse-lint-'));
  try {
    const file = join(folder, 'haproxy.cfg');
    await writeFile(file, text);
    const { output, exitCode, problem } = await runCommand(binary, ['-c', '-f', file], { clock, timeoutMs });
    const messages = parseConfigMessages(output);
    if (problem === undefined && (exitCode === 0 || messages.length > 0)) return messages;
    // Status 2: nothing listens yet.
    if (exitCode === 2) return messages;
    return [{ severity: 'error', text: problem ?? output.trim().slice(0, 500) }];
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Where a line of the rendered file stands in the configuration. */
interface Origin {
  readonly service?: string;
  readonly path: readonly PropertyKey[];
}

function placed(
  messages: readonly ConfigMessage[],
  text: string,
  desired: DesiredState,
  input: LintInput,
  version: string,
): readonly Finding[] {
  const lines = text.split('\n');
  const sections = parseSections(text);
  return messages.map(({ text: said, line: number, severity }): Finding => {
    const section = number === undefined ? undefined : sections.findLast(({ line }) => line <= number);
    const line = number === undefined ? '' : (lines[number - 1] ?? '').trim();
    const origin =
      section === undefined ? byName(said, input) : originOf(section.title, line, desired, input);
    const retired = line === '' ? undefined : retiredLine(line);
    const advice = retired === undefined ? '' : `; write ${retired.advice}`;
    const where = line === '' ? '' : ` \`${line}\``;
    const verb = severity === 'error' ? 'rejects' : 'warns of';
    return { ...origin, message: `HAProxy ${version} ${verb}${where}: ${said.trim()}${advice}`, severity };
  });
}

/** A message without a place quotes the name of a section. */
function byName(said: string, { services }: LintInput): Origin {
  const service = [...services.keys()].find(
    (name) => said.includes(`'${name}'`) || said.includes(`'${name}/`),
  );
  return { ...(service !== undefined && { service }), path: [] };
}

function originOf(title: string, line: string, desired: DesiredState, input: LintInput): Origin {
  const [kind = ''] = title.split(' ');
  const found = desired.services.find(
    ({ frontend, backend }) => frontend?.title === title || `backend ${backend.name}` === title,
  );
  if (found !== undefined) {
    const { service } = found;
    const raw = Object(input.services.get(service)) as Readonly<Record<string, unknown>>;
    if (/^server\s/.test(line)) return { service, path: ['server_options'] };
    if (/^bind\s/.test(line)) return { service, path: ['port'] };
    return { service, path: pathOf(raw, [kind, 'listen'], line) };
  }
  const raw = Object(input.raw) as Readonly<Record<string, unknown>>;
  if (title === desired.sharedFrontend?.title) {
    for (const [service, block] of input.services) {
      const path = pathOf(Object(block) as Readonly<Record<string, unknown>>, ['shared_frontend'], line);
      if (path.length > 0) return { service, path };
    }
    return { path: pathOf(raw, ['shared_frontend'], line) };
  }
  if (kind === 'global' || kind === 'defaults') return { path: pathOf(raw, [kind], line) };
  const extra = Object(raw.extra_sections) as Readonly<Record<string, unknown>>;
  const path = pathOf(
    extra,
    Object.keys(extra).filter((key) => key.trim() === title),
    line,
  );
  return { path: path.length > 0 ? ['extra_sections', ...path] : [] };
}

function pathOf(
  raw: Readonly<Record<string, unknown>>,
  keys: readonly string[],
  line: string,
): readonly PropertyKey[] {
  for (const key of keys) for (const one of linesAt(raw, key)) if (one.line.trim() === line) return one.path;
  return [];
}
