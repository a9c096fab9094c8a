import type { Instance, Json } from '@smartstack/registry';
import * as z from 'zod';

import type { LabelFilter } from '../catalog/definition.js';

/** A TCP port; Ruby's users also write it in quotes. */
export const port = z
  .union([z.int(), z.string().regex(/^\d{1,5}$/, 'expected a port number')])
  .transform(Number)
  .pipe(z.int().min(1).max(65535));

/** A list, or its only element: the shorthand of the Ruby pair's README. */
export function oneOrMore<T extends z.ZodType>(element: T) {
  return z.union([z.array(element).min(1), element.transform((one) => [one])]);
}

const json: z.ZodType<Json> = z.json();

/** One filter on the labels of instances. */
const labelFilter: z.ZodType<LabelFilter> = z.strictObject({
  label: z.string(),
  value: json,
  condition: z.enum(['equals', 'not-equals']),
});

/** The labels of an instance. */
export const labels = z.record(z.string(), json);

/** Keys that every discovery method takes. */
export const discoveryBase = {
  label_filters: z
    .array(labelFilter)
    .optional()
    .describe('Only instances that pass all of these: `{label, value, condition: equals | not-equals}`.'),
  label_filter: labelFilter.optional().describe('Deprecated: a single filter; use label_filters.'),
} as const;

/** An instance as `default_servers` lists it. */
export const configuredInstance = z
  .object({
    host: z.string().min(1),
    port,
    name: z.string().optional(),
    id: z.int().min(0).optional(),
    weight: z.number().min(0).optional(),
    haproxy_server_options: z.string().optional(),
    labels: labels.optional(),
  })
  .transform(({ haproxy_server_options, host, port: at, ...rest }): Instance => {
    const entries = Object.entries({ ...rest, haproxyServerOptions: haproxy_server_options });
    // Absent and undefined differ for whoever compares instances.
    return { host, port: at, ...Object.fromEntries(entries.filter(([, value]) => value !== undefined)) };
  });
