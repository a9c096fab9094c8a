import { join } from 'node:path';
import { byText } from '@smartstack/agent';
import type { Instance } from '@smartstack/registry';
import type { GeneratorPlan, GeneratorTrace, ServerTrace, TraceSubject } from '../../catalog/types.js';
import { onlyLayout, textChanges } from '../lineChanges.js';
import type { Presence } from '../presence.js';
import { listedServer, step } from '../traceSteps.js';
import { contentOf, fileNameOf, saysTheSame } from './format.js';
import type { OutputFolder } from './outputFolder.js';
import type { Wanted } from './wanted.js';

/** What tells an instance in a file from the others. */
export function keyOf({ name, host, port }: Pick<Instance, 'host' | 'port' | 'name'>): string {
  return `${(name ?? '') === '' ? '' : `${name ?? ''}_`}${host}:${port}`;
}

/** So many files are read at once. */
const atOnce = 32;

/** What a pass would write and remove now. Changes nothing, and makes no folder. */
export async function planFolder(wanted: Wanted, folder: OutputFolder): Promise<GeneratorPlan> {
  const present = await folder.names().catch(() => new Set<string>());
  const files: GeneratorPlan['files'][number][] = [];
  for (let at = 0; at < wanted.files.length; at += atOnce)
    await Promise.all(
      wanted.files.slice(at, at + atOnce).map(async ({ name, instances, onlyIfAbsent }) => {
        if (onlyIfAbsent && present.has(name)) return;
        const disk = present.has(name) ? await folder.read(name) : undefined;
        const text = contentOf(instances);
        if (disk !== undefined && saysTheSame(disk, text)) return;
        files.push({ path: join(folder.directory, name), changes: changesOf(disk, text) });
      }),
    );
  files.sort((a, b) => byText(a.path, b.path));
  const known = new Set([...wanted.files.map(({ name }) => name), ...wanted.kept]);
  const unknown = [...present].filter((name) => !known.has(name)).toSorted();
  const purged = unknown.map((name) => ({
    path: join(folder.directory, name),
    changes: ['it is removed: there is no such service'],
  }));
  return {
    ...{ commands: [], reload: [], files: [...files, ...purged] },
    notes: wanted.problems.map(({ service, problem }) => `${service}: ${problem}`),
  };
}

/** By instance: a file is one line. */
function changesOf(disk: string | undefined, text: string): readonly string[] {
  const changes = textChanges(disk, text, (whole) => {
    try {
      const found: unknown = JSON.parse(whole);
      return Array.isArray(found) ? found.map((each) => JSON.stringify(each)) : [whole];
    } catch {
      return [whole];
    }
  });
  return changes[0] === onlyLayout ? ['the same instances, written otherwise'] : changes;
}

/** What a trace is made of. */
interface FileTraceState {
  /** Of the last pass; undefined before there was one. */
  readonly wanted: Wanted | undefined;
  readonly folder: OutputFolder;
  /** By the names of files. */
  readonly presence: Presence;
}

/** What has become of services' instances in the files, which are read for it. Never rejects. */
export async function traceFiles(
  subjects: readonly TraceSubject[],
  state: FileTraceState,
): Promise<readonly GeneratorTrace[]> {
  const traces: GeneratorTrace[] = [];
  for (let at = 0; at < subjects.length; at += atOnce)
    traces.push(
      ...(await Promise.all(subjects.slice(at, at + atOnce).map((subject) => traceFile(subject, state)))),
    );
  return traces;
}

async function traceFile(
  { service, instances }: TraceSubject,
  { wanted, folder, presence }: FileTraceState,
): Promise<GeneratorTrace> {
  if (wanted === undefined) return { steps: [step('desired', false, 'no pass was made yet')], servers: [] };
  const { name } = fileNameOf(service);
  const problem = wanted.problems.find((one) => one.service === service)?.problem;
  const file = wanted.files.find((one) => one.name === name);
  const isKept = name !== undefined && wanted.kept.has(name);
  if (name === undefined || (file === undefined && !isKept)) {
    const detail = problem ?? 'disabled: it has no file';
    return { steps: [step('desired', problem === undefined, detail)], servers: [] };
  }
  const path = join(folder.directory, name);
  const disk = listIn(await folder.read(name));
  const at = presence.service(name);
  const want = new Set(file?.instances.map(keyOf));
  const unknown = problem ?? 'nothing is known of it yet: its file stays';
  const isKnown = file !== undefined && !(file.onlyIfAbsent && disk !== undefined);
  const steps = [
    isKnown ? step('desired', true, `${want.size} instances`) : step('desired', false, unknown),
    disk === undefined
      ? step('loaded', false, `${path} is not there, or is no list`)
      : step('loaded', true, `${path}: ${disk.size} instances`, at),
  ];
  const serverOf = (key: string, instance: Instance | undefined): ServerTrace => {
    const left = instance?.held
      ? 'left out: its source lost it, and nobody checks what is read in a file'
      : 'not among the instances of the file';
    const desired = isKnown
      ? step('desired', want.has(key), want.has(key) ? 'to be in the file' : left)
      : undefined;
    const since = presence.server(name, key);
    const loaded =
      disk?.has(key) === true
        ? step('loaded', true, `in ${path}`, since)
        : step('loaded', false, `not in ${path}`);
    return listedServer(key, instance, [...(desired ? [desired] : []), loaded]);
  };
  const asked = new Map(instances.map((instance) => [keyOf(instance), instance]));
  const others = [...(disk ?? [])].filter((key) => !asked.has(key));
  return {
    steps,
    servers: [
      ...[...asked].map(([key, instance]) => serverOf(key, instance)),
      ...others.map((key) => serverOf(key, undefined)),
    ],
  };
}

/** The instances that a text lists; undefined for what is no list. */
function listIn(text: string | undefined): ReadonlySet<string> | undefined {
  try {
    const found: unknown = JSON.parse(text ?? '');
    if (!Array.isArray(found)) return undefined;
    return new Set(
      found.map((each: unknown) => {
        const { name, host, port } = Object(each) as Readonly<Record<string, unknown>>;
        const label = typeof name === 'string' ? { name } : {};
        return keyOf({ ...label, host: String(host), port: Number(port) });
      }),
    );
  } catch {
    return undefined;
  }
}
