import type * as Library from '@aws-sdk/client-ec2';

import { awsFailure } from './failure.js';
import { optionalLibrary } from './optional.js';

/** Whose instances, and which. Without keys and region those of the usual chain count. */
export interface Ec2Question {
  readonly region: string | undefined;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string } | undefined;
  readonly tag: { readonly name: string; readonly value: string };
  /** More instances are refused. */
  readonly maxInstances: number;
}

/** What is asked of an instance. */
interface Ec2Instance {
  readonly id: string;
  readonly privateIp: string | undefined;
  readonly privateName: string | undefined;
}

/** Asks EC2, time and again, on connections that are kept. */
export interface Ec2 {
  /** All running instances with the tag, however many pages they are. */
  read(signal: AbortSignal): Promise<readonly Ec2Instance[]>;
  close(): void;
}

/** More are not asked for: a page may be empty, and say that there is a next one. */
const maxPages = 200;

/** Opens nothing yet: the library is loaded with the first question. */
export function openEc2({ region, credentials, tag, maxInstances }: Ec2Question): Ec2 {
  let client: Library.EC2Client | undefined;
  const filters = [
    { Name: `tag:${tag.name}`, Values: [tag.value] },
    { Name: 'instance-state-name', Values: ['running'] },
  ];
  return {
    read: async (signal) => {
      const library = '@aws-sdk/client-ec2';
      const ec2 = await optionalLibrary(library, () => import('@aws-sdk/client-ec2'));
      client ??= new ec2.EC2Client({
        ...(region !== undefined && { region }),
        ...(credentials && { credentials }),
      });
      const send = client.send.bind(client);
      const ask = (token: string | undefined): Promise<Library.DescribeInstancesCommandOutput> => {
        const page = { Filters: filters, MaxResults: 1000, ...(token !== undefined && { NextToken: token }) };
        return send(new ec2.DescribeInstancesCommand(page), { abortSignal: signal });
      };
      try {
        return await allPages(ask, maxInstances);
      } catch (error) {
        throw awsFailure(error);
      }
    },
    close: () => client?.destroy(),
  };
}

async function allPages(
  ask: (token: string | undefined) => Promise<Library.DescribeInstancesCommandOutput>,
  maxInstances: number,
): Promise<readonly Ec2Instance[]> {
  const found: Ec2Instance[] = [];
  let token: string | undefined;
  let pages = 0;
  do {
    const answer = await ask(token);
    for (const { Instances: instances = [] } of answer.Reservations ?? [])
      for (const { InstanceId: id, PrivateIpAddress: ip, PrivateDnsName: name } of instances)
        found.push({ id: id ?? '', privateIp: ip || undefined, privateName: name || undefined });
    pages += 1;
    if (found.length > maxInstances) throw new Error(`more than ${maxInstances} instances`);
    if (pages > maxPages) throw new Error(`more than ${maxPages} pages`);
    const next = answer.NextToken || undefined;
    if (next !== undefined && next === token)
      throw new Error('the answer has the same next page as the one before');
    token = next;
  } while (token !== undefined);
  return found;
}
