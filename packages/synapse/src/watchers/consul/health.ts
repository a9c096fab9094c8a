import { byText, describeError } from '@smartstack/agent';
import { type Instance, nerveCodec } from '@smartstack/registry';

import type { SourceProblem } from '../../catalog/types.js';
import type { SourceReading } from '../source/sourceState.js';
import { fittingWeights } from '../source/weights.js';

type Fields = Readonly<Record<string, unknown>>;

/**
 * The instances in an answer to `/v1/health/service/NAME`, in the order of their addresses. An entry that is none is a
 * problem. Throws when it is no list.
 */
export function readHealth(value: unknown, source: string): SourceReading {
  if (!Array.isArray(value)) throw new Error('Not a list of instances');
  const found: { readonly instance: Instance; readonly weight: number }[] = [];
  const problems: SourceProblem[] = [];
  value.forEach((entry: unknown, index) => {
    const node = fieldsIn(entry, 'Node');
    const service = fieldsIn(entry, 'Service');
    const weight = fieldsIn(service, 'Weights').Passing;
    try {
      const instance = instanceOf(node, service);
      found.push({ instance, weight: typeof weight === 'number' && weight > 0 ? weight : 1 });
    } catch (error) {
      const id = textIn(service, 'ID') ?? String(index);
      problems.push({ path: `${source}/${id}`, reason: describeError(error) });
    }
  });
  const weights = fittingWeights(found.map(({ weight }) => weight));
  const instances = found.map(({ instance }, index) => ({ ...instance, weight: weights[index] ?? 1 }));
  return { instances: instances.sort(byAddress), problems };
}

/** Meta data as labels, each tag as `tag:NAME`, and where it runs. What decodes registrations checks the rest. */
function instanceOf(node: Fields, service: Fields): Instance {
  const { Tags: tags } = service;
  const named = Array.isArray(tags) ? tags.filter((tag) => typeof tag === 'string') : [];
  const labels = Object.fromEntries([
    ...Object.entries(fieldsIn(service, 'Meta')),
    ...named.map((tag): [string, unknown] => [`tag:${tag}`, true]),
    ['consul_node', textIn(node, 'Node') ?? ''],
    ['consul_datacenter', textIn(node, 'Datacenter') ?? ''],
  ]);
  const registration = {
    // A service without an address of its own is where its node is.
    host: textIn(service, 'Address') ?? textIn(node, 'Address'),
    port: service.Port,
    name: textIn(service, 'ID'),
    labels,
  };
  return nerveCodec.decode(Buffer.from(JSON.stringify(registration)));
}

function fieldsIn(value: unknown, key: string): Fields {
  const inner: unknown = isFields(value) ? value[key] : undefined;
  return isFields(inner) ? inner : {};
}

function textIn(value: Fields, key: string): string | undefined {
  const text = value[key];
  return typeof text === 'string' && text !== '' ? text : undefined;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function byAddress(a: Instance, b: Instance): number {
  return byText(a.host, b.host) || a.port - b.port || byText(a.name ?? '', b.name ?? '');
}
