import { describeError, formatIssue, parseConfigText } from '@smartstack/agent';
import { type Instance, nerveCodec } from '@smartstack/registry';

import type { SourceProblem } from '../../catalog/types.js';
import type { SourceReading } from '../source/sourceState.js';

/**
 * The instances that a file lists: JSON or YAML, a list of what nerve registers (`host`, `port`, `name` …), or a mapping
 * with such a list in `instances`. One that cannot be used is a problem with its place. Throws when there is no list, or
 * nothing in it can be used: that is a broken file, not a service without instances.
 */
export function parseInstances(file: string, data: Buffer): SourceReading {
  const text = new TextDecoder('utf-8', { fatal: true }).decode(data);
  const parsed = parseConfigText(file, text);
  const error = parsed.issues.find(({ severity }) => severity === 'error');
  if (error !== undefined) throw new Error(formatIssue(error));
  const nested = isMapping(parsed.value) ? parsed.value.instances : undefined;
  const prefix = nested === undefined ? [] : ['instances'];
  const list = nested ?? parsed.value;
  if (!Array.isArray(list)) throw new Error(`${file}: Expected a list of instances`);
  const instances: Instance[] = [];
  const problems: SourceProblem[] = [];
  list.forEach((entry: unknown, index) => {
    try {
      instances.push(instanceOf(entry));
    } catch (cause) {
      const { line, column } = parsed.at([...prefix, index]);
      problems.push({ path: `${file}:${line}:${column}`, reason: describeError(cause) });
    }
  });
  const [first] = problems;
  if (instances.length === 0 && first !== undefined)
    throw new Error(`Nothing in it is an instance: ${first.path}: ${first.reason}`);
  return { instances, problems };
}

/** As lists of the agents have it, too: they spell one key otherwise than the registry. */
function instanceOf(entry: unknown): Instance {
  if (!isMapping(entry)) throw new Error('Not a mapping');
  const { id, haproxyServerOptions, ...fields } = entry;
  const json = JSON.stringify({ haproxy_server_options: haproxyServerOptions, ...fields });
  const instance = nerveCodec.decode(Buffer.from(json));
  return Number.isSafeInteger(id) && Number(id) >= 0 ? { ...instance, id: Number(id) } : instance;
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
