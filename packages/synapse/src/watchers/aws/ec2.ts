import type * as Library from '@aws-sdk/client-ec2';

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
export interface Ec2Instance {
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

/** Opens nothing yet: the library is loaded with the first question. */
export function openEc2({ region, credentials, tag, maxInstances }: Ec2Question): Ec2 {
  let client: Library.EC2Client | undefined;
  const filters = [
    { Name: `tag:${tag.name}`, Values: [tag.value] },
    { Name: 'instance-state-name', Values: ['running'] },
  ];
  return {
    read: async (signal) => {
      const { EC2Client, DescribeInstancesCommand } = optionalLibrary(
        '@aws-sdk/client-ec2',
      ) as typeof Library;
      client ??= new EC2Client({
        ...(region !== undefined && { region }),
        ...(credentials && { credentials }),
      });
      const found: Ec2Instance[] = [];
      let token: string | undefined;
      do {
        const page = { Filters: filters, MaxResults: 1000, ...(token !== undefined && { NextToken: token }) };
        const answer = await client.send(new DescribeInstancesCommand(page), { abortSignal: signal });
        for (const { Instances: instances = [] } of answer.Reservations ?? [])
          for (const { InstanceId: id, PrivateIpAddress: ip, PrivateDnsName: name } of instances)
            found.push({ id: id ?? '', privateIp: ip || undefined, privateName: name || undefined });
        if (found.length > maxInstances) throw new Error(`more than ${maxInstances} instances`);
        if (answer.NextToken !== undefined && answer.NextToken === token)
          throw new Error('the answer has the same next page as the one before');
        token = answer.NextToken || undefined;
      } while (token !== undefined);
      return found;
    },
    close: () => client?.destroy(),
  };
}
