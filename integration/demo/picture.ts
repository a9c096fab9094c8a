/** What is known of one instance at one moment. */
interface InstanceView {
  readonly name: string;
  readonly port: number;
  /** Undefined while its process does not run. */
  readonly pid: number | undefined;
  /** HAProxy's word for its server (UP, DOWN, MAINT …); undefined when HAProxy does not have it. */
  readonly server: string | undefined;
  /** Requests that it answered, since the start and lately. */
  readonly answered: number;
  readonly perSecond: number;
}

/** What is known of one service. */
export interface ServiceView {
  readonly name: string;
  /** What a user types to reach it. */
  readonly tryIt: string;
  readonly answered: number;
  readonly failed: number;
  readonly instances: readonly InstanceView[];
}

/** A process beside the services. */
export interface PartView {
  readonly name: string;
  readonly pid: number | undefined;
  /** What it does, or an address to look at. */
  readonly detail: string;
}

/** One picture of the running demo. */
export interface View {
  readonly seconds: number;
  readonly parts: readonly PartView[];
  readonly services: readonly ServiceView[];
  readonly events: readonly string[];
  readonly folder: string;
}

const codes = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;
type Style = keyof typeof codes;
const styled = (style: Style, text: string): string => `\u001b[${codes[style]}m${text}\u001b[0m`;

/** Lines without their colours, for what is not a terminal. */
export function plain(lines: readonly string[]): string {
  return lines.join('\n').replaceAll(/\u001b\[\d+m/g, '');
}

function serverStyle(server: string | undefined): Style {
  if (server === undefined) return 'dim';
  if (server.startsWith('UP') || server === 'no check') return 'green';
  return server.startsWith('DOWN') ? 'red' : 'yellow';
}

/** A share from 0 to 1 as a bar of ten. */
function bar(share: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * 10);
  return '█'.repeat(full) + '·'.repeat(10 - full);
}

function instanceLine(instance: InstanceView, total: number): string {
  const { name, pid, port, server, perSecond, answered } = instance;
  const process = pid === undefined ? styled('red', 'not running'.padEnd(12)) : `pid ${pid}`.padEnd(12);
  const state = styled(serverStyle(server), (server ?? 'not in HAProxy').padEnd(14));
  const traffic = `${bar(total === 0 ? 0 : perSecond / total)} ${String(perSecond).padStart(4)}/s ${String(answered).padStart(7)}`;
  return `    ${name.padEnd(10)}:${String(port).padEnd(6)} ${process} ${state} ${traffic}`;
}

function serviceLines(service: ServiceView): string[] {
  const total = service.instances.reduce((sum, { perSecond }) => sum + perSecond, 0);
  const failed = `${service.failed} failed`;
  const counts = `${service.answered} answered, ${service.failed > 0 ? styled('red', failed) : failed}`;
  return [
    `  ${styled('bold', service.name.padEnd(7))} ${styled('cyan', service.tryIt.padEnd(32))} ${counts}`,
    ...service.instances.map((instance) => instanceLine(instance, total)),
    '',
  ];
}

function partLine({ name, pid, detail }: PartView): string {
  const process = pid === undefined ? styled('red', 'not running') : `pid ${pid}`;
  return `  ${name.padEnd(10)} ${process.padEnd(12)} ${detail}`;
}

/** What a user may do to see fail-over, with the pids of now. */
function suggestions(view: View): string[] {
  const line = (command: string, effect: string): string =>
    `  ${styled('dim', '$')} ${command.padEnd(20)} ${effect}`;
  const victim = view.services.flatMap(({ instances }) => instances).find(({ pid }) => pid !== undefined);
  const zookeeper = view.parts.find(({ name }) => name === 'ZooKeeper')?.pid;
  const synapse = view.parts.find(({ name }) => name === 'synapse')?.pid;
  return [
    ...(victim?.pid === undefined
      ? []
      : [
          line(
            `kill -9 ${victim.pid}`,
            `${victim.name} dies: it leaves, the others take over, and it comes back`,
          ),
          line(`kill -STOP ${victim.pid}`, `${victim.name} hangs (kill -CONT wakes it)`),
        ]),
    ...(zookeeper === undefined
      ? []
      : [line(`kill -9 ${zookeeper}`, 'the registry dies: every route stays')]),
    ...(synapse === undefined ? [] : [line(`kill -9 ${synapse}`, 'synapse dies: HAProxy goes on')]),
  ];
}

/** The whole picture as lines, at most `rows` of them: the oldest events give way. */
export function draw(view: View, rows: number): string[] {
  const minutes = `${Math.floor(view.seconds / 60)}:${String(Math.floor(view.seconds % 60)).padStart(2, '0')}`;
  const head = [
    `${styled('bold', 'SmartStack for VMs')}, the demo  ${minutes}   ${styled('dim', 'Ctrl-C ends it and leaves nothing behind')}`,
    styled(
      'dim',
      `  app -> localhost -> HAProxy -> instance        nerve -> ZooKeeper -> synapse -> HAProxy`,
    ),
    '',
    ...view.services.flatMap(serviceLines),
    ...view.parts.map(partLine),
    '',
    'In another terminal:',
    ...suggestions(view),
    styled('dim', `  configuration and logs: ${view.folder}`),
    '',
  ];
  const room = Math.max(3, rows - head.length - 1);
  return [...head, ...view.events.slice(-room).map((event) => styled('dim', '  ') + event)];
}

/** What changed between two pictures, in sentences: an instance entered or left, HAProxy was replaced. */
export function changes(before: View | undefined, after: View): string[] {
  if (before === undefined) return [];
  const old = new Map(
    before.services.flatMap(({ instances }) => instances.map((each) => [each.name, each] as const)),
  );
  const sentences: string[] = [];
  for (const { name, server } of after.services.flatMap(({ instances }) => instances)) {
    const previous = old.get(name)?.server;
    if (previous === server) continue;
    if (server === undefined) sentences.push(`${name} left HAProxy`);
    else if (previous === undefined) sentences.push(`${name} entered HAProxy: ${server}`);
    else sentences.push(`${name} is ${server} in HAProxy (was ${previous})`);
  }
  return sentences;
}
