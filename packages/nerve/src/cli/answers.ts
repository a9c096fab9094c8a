import { reader } from '@smartstack/agent/cli';
import * as z from 'zod';
import { hostDrain, orderResult, serviceShape } from '../api/shapes.js';

const list = z.object({ drain: hostDrain, services: z.array(serviceShape) });

export const readServices = reader('nerve', list);
export const readService = reader('nerve', serviceShape);
export const readResult = reader('nerve', orderResult);

/** The path of a service, or of something of it. */
export function servicePath(service: string, rest = ''): string {
  return `/v1/services/${encodeURIComponent(service)}${rest}`;
}

/** Text for programs. */
export function json(value: unknown): string {
  return JSON.stringify(value, null, 2);
}
