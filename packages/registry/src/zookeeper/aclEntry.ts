import * as z from 'zod';
import type { ZkAcl } from './types.js';

/** One entry of an access control list as zkCli writes it: `world:anyone:r`, `auth::cdrwa`. */
export const aclEntry = z
  .string()
  .regex(/^[a-z0-9]+:.*:[cdrwa]+$/, 'expected scheme:id:permissions, such as auth::cdrwa')
  .transform((text): ZkAcl => {
    const [scheme = '', ...rest] = text.split(':');
    return { scheme, id: rest.slice(0, -1).join(':'), permissions: rest.at(-1) ?? '' };
  });
