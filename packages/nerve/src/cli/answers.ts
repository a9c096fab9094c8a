import { ApiError } from '@smartstack/agent/apiClient';
import * as z from 'zod';
import { hostDrain, orderResult, serviceShape } from '../api/shapes.js';

const list = z.object({ drain: hostDrain, services: z.array(serviceShape) });

/** Reads an answer of the API; throws ApiError for what is none. */
function reader<T>(schema: z.ZodType<T>): (value: unknown) => T {
  return (value) => {
    const { data, error } = schema.safeParse(value);
    if (error === undefined) return data;
    const [issue] = error.issues;
    const what = `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`;
    throw new ApiError('not_an_agent', `it does not answer as nerve does (${what}): another version?`);
  };
}

export const readServices = reader(list);
export const readService = reader(serviceShape);
export const readResult = reader(orderResult);

/** The path of a service, or of something of it. */
export function servicePath(service: string, rest = ''): string {
  return `/v1/services/${encodeURIComponent(service)}${rest}`;
}

/** Text for programs. */
export function json(value: unknown): string {
  return JSON.stringify(value, null, 2);
}
