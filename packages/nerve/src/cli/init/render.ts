import { nodeNameProblem } from '@smartstack/registry';
import type { Kind } from './kinds.js';
import { endpoint } from './listeners.js';
import type { Found, Plan, Proposal } from './plan.js';

/** What the text says beside the plan. */
export interface RenderOptions {
  readonly hostName: string;
  /** The interface that has the published address. */
  readonly interface: string | undefined;
  /** The file that it goes to; undefined: only shown. */
  readonly file: string | undefined;
}

/** Never resolves, so that whoever forgets to change it registers nowhere. */
const placeholder = 'zookeeper.invalid:2181';

/** Writes the configuration: YAML with a reason for each choice, valid whatever processes are called. */
export function render(plan: Plan, options: RenderOptions): string {
  const { proposals, skipped } = plan;
  const lines = [
    ...heading(plan, options),
    '',
    '# Names this machine in the registry, so it must differ from that of any other. This is its host name.',
    ...(/^localhost\b/i.test(options.hostName) ? ['# Many machines are called so: choose another.'] : []),
    `instance_id: ${scalar(instanceId(options.hostName))}`,
    '',
    ...(proposals.length === 0
      ? ['# Nothing listens here that other machines could use.', 'services: {}']
      : [
          'services:',
          ...proposals.flatMap((one, at) => [...(at === 0 ? [] : ['']), ...service(one, plan, options)]),
        ]),
    ...(skipped.length === 0 ? [] : ['', '# Also listening, and left out:']),
    ...skipped.map((one) => `# - ${where(one)}, ${who(one)}: ${one.why}`),
  ];
  return `${lines.join('\n')}\n`;
}

function heading(
  { proposals, skipped, zooKeeper }: Plan,
  { hostName, file }: RenderOptions,
): readonly string[] {
  const all = [...proposals, ...skipped];
  const unseen = all.filter(({ owner }) => owner === undefined).length;
  const name = file === undefined ? 'FILE' : word(remark(file, 200));
  return [
    `# nerve: a first configuration for ${remark(hostName)}, which nerve init made of what listens there.`,
    '# Everything in it is a guess: no service was asked anything. Before it is used:',
    zooKeeper === undefined
      ? `# 1. Put the addresses of your ZooKeeper in place of ${placeholder}, in each zk_hosts.`
      : `# 1. Is ${zooKeeper}, which runs here, the ZooKeeper to register with? All of its ensemble go into each zk_hosts.`,
    '# 2. Remove what no other machine should find. Names are free to choose; zk_path is the same on every machine that',
    '#    has an instance of the service, and is what callers (synapse) are told.',
    `# 3. Is it right?  nerve --check-config --config ${name}   Does a check pass?  nerve probe SERVICE --config ${name}`,
    ...(unseen === 0
      ? []
      : [
          `# Who owns ${unseen} of the ${all.length} ports could not be seen: as root, and outside of containers, nerve init sees more.`,
        ]),
  ];
}

function service(
  one: Proposal,
  { zooKeeper }: Plan,
  { interface: device }: RenderOptions,
): readonly string[] {
  const { addresses, host, port } = one;
  return [
    `  # ${where(one)}: ${who(one)}.`,
    `  ${scalar(one.service)}: # named after ${one.from}`,
    `    host: ${scalar(host ?? '127.0.0.1')}${hostRemark(addresses, host, device)}`,
    `    port: ${port}`,
    `    zk_hosts: ['${zooKeeper ?? placeholder}']${zooKeeper === undefined ? ' # not yet a real one: yours' : ''}`,
    `    zk_path: ${scalar(`/services/${one.service}`)}`,
    '    checks:',
    ...check(one).map((line) => `      ${line}`),
  ];
}

function hostRemark(
  addresses: readonly string[],
  host: string | undefined,
  device: string | undefined,
): string {
  if (host === undefined) return ' # this machine has no other address: put that which callers can reach';
  if (addresses.includes(host)) return ' # where it listens';
  return device === undefined ? '' : ` # it listens on all addresses: this is the one of ${remark(device)}`;
}

/** What all of them have: a start of the line, then how often. */
const patience = [
  '  timeout: 1 # seconds',
  '  rise: 2 # successes in a row until it is registered again',
  '  fall: 2 # failures in a row until it is withdrawn',
];

function check(one: Proposal): readonly string[] {
  const { guess, service: name } = one;
  if (guess === undefined) {
    return [
      '# Nothing tells what it speaks, so only whether connections are accepted is checked.',
      '- type: tcp',
      ...patience,
      '# If it speaks HTTP, an answer tells more than a connection; in place of the above:',
      '# - { type: http, uri: /health, timeout: 1, rise: 2, fall: 2 }',
    ];
  }
  const secret = `/etc/nerve/${name}.password`;
  return [
    `# ${sentence(guess.because)}.`,
    ...logins[guess.kind](secret, one),
    ...patience,
    '# Or only whether connections are accepted:',
    '# - { type: tcp, timeout: 1, rise: 2, fall: 2 }',
  ];
}

const logins: Readonly<Record<Kind, (secret: string, one: Proposal) => readonly string[]>> = {
  redis: (secret) => [
    '- type: redis # PING, and a look for a key',
    `  # password_file: ${secret} # where it wants one`,
  ],
  postgres: (secret) => [
    '- type: postgres # logs in, and SELECT 1',
    '  username: nerve # a user that may log in from here, and no more',
    `  # password_file: ${secret}`,
    '  database: postgres',
  ],
  mysql: (secret) => [
    '- type: mysql # logs in, and SELECT 1',
    '  username: nerve # a user that may log in from here, and no more',
    `  # password_file: ${secret}`,
  ],
  rabbitmq: (secret, { addresses }) => [
    '- type: rabbitmq # publishes a message to the queue nerve, and takes it',
    ...(addresses.some((address) => address === '0.0.0.0' || address === '::')
      ? ['  host: 127.0.0.1 # guest may log in by loopback only']
      : []),
    '  username: guest',
    `  # password_file: ${secret} # of any other user`,
  ],
};

function where({ addresses, port }: Found): string {
  return addresses.map((address) => endpoint(address, port)).join(', ');
}

function who({ owner, user }: Found): string {
  if (owner === undefined) return `user ${remark(user)}, its process could not be seen`;
  const unit = owner.unit === undefined ? '' : `, ${remark(owner.unit)}`;
  // Not its arguments: they may hold secrets.
  return `${remark(owner.name) || 'a process without a name'} (process ${owner.pid}${unit})`;
}

/** The host's name, or as much of it as can name a node. */
function instanceId(hostName: string): string {
  const name = hostName.replaceAll(/[^A-Za-z0-9._-]+/g, '-').slice(0, 200);
  return name === '' || nodeNameProblem(name) !== undefined ? 'this-machine' : name;
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** For a shell. */
function word(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Words that YAML 1.1 takes for something else than text. */
const notText = /^(y|n|yes|no|on|off|true|false|null)$/i;

/** A text of harmless characters as YAML: plain where it can be nothing else. */
function scalar(text: string): string {
  const plain = /^[a-z/][a-z0-9._/-]*$/i.test(text) || /^\d{1,3}(\.\d{1,3}){3}$/.test(text);
  return plain && !notText.test(text) ? text : JSON.stringify(text);
}

/** What others chose, for a comment: on one line, only what is printed, not too long. */
function remark(text: string, longest = 80): string {
  const line = text
    .slice(0, 4 * longest)
    .replaceAll(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]+/gu, ' ')
    .trim();
  const characters = Array.from(line);
  return characters.length <= longest ? line : `${characters.slice(0, longest - 1).join('')}…`;
}
