import { execFileSync } from 'node:child_process';

/** Why this machine cannot have network namespaces, or undefined where it can. */
export function whyNoTwoHosts(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  try {
    execFileSync('ip', ['netns', 'list'], { stdio: 'pipe' });
    return undefined;
  } catch {
    return 'needs ip netns';
  }
}

/** Two hosts with a cable between them: network namespaces, which see nothing else. */
export interface TwoHosts {
  readonly near: Host;
  readonly far: Host;
  /** No packet reaches `near` any more, and nobody is told: neither a reset nor an ICMP message comes. */
  drop(): void;
  heal(): void;
  stop(): void;
}

/** One of them. Unix sockets and files are those of the machine. */
interface Host {
  readonly address: string;
  /** What to put before a command that is to run there. */
  readonly within: readonly string[];
}

let count = 0;

function ip(...args: readonly string[]): void {
  execFileSync('ip', args, { stdio: 'pipe' });
}

/** Sets them up. */
export function startTwoHosts(): TwoHosts {
  count += 1;
  const names = ['near', 'far'].map((name) => `smartstack-${process.pid}-${count}-${name}`);
  const [near = '', far = ''] = names;
  const addresses = ['10.86.0.1', '10.86.0.2'] as const;
  const stop = (): void => {
    for (const name of names) ip('netns', 'delete', name);
  };
  for (const name of names) ip('netns', 'add', name);
  try {
    ip('-n', near, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', far);
    names.forEach((name, index) => {
      ip('-n', name, 'address', 'add', `${addresses[index]}/24`, 'dev', 'eth0');
      for (const link of ['lo', 'eth0']) ip('-n', name, 'link', 'set', link, 'up');
    });
  } catch (error) {
    stop();
    throw error;
  }
  const host = (name: string, address: string): Host => ({
    address,
    within: ['ip', 'netns', 'exec', name],
  });
  const route = (action: 'add' | 'delete'): void =>
    ip('-n', far, 'route', action, 'blackhole', `${addresses[0]}/32`);
  return {
    near: host(near, addresses[0]),
    far: host(far, addresses[1]),
    drop: () => route('add'),
    heal: () => route('delete'),
    stop,
  };
}
