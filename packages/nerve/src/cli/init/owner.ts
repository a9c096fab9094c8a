import { basename, dirname } from 'node:path';

/** The process behind a socket. */
export interface Owner {
  readonly pid: number;
  /** Its name: the kernel's, or a longer one that its command line has. */
  readonly name: string;
  /** Its arguments, its own name first. */
  readonly argv: readonly string[];
  /** The systemd unit that it belongs to, such as `redis-server.service`. */
  readonly unit: string | undefined;
}

/** What /proc/PID has of a process, as text. */
export interface ProcessText {
  readonly comm: string;
  readonly cmdline: string;
  readonly cgroup: string;
}

/** Longest name that the kernel keeps of a process. */
const commLength = 15;

/** Makes sense of what /proc/PID has. */
export function ownerOf(pid: number, { comm, cmdline, cgroup }: ProcessText): Owner {
  const argv = cmdline.split('\0').filter((word) => word !== '');
  return { pid, name: nameOf(comm.replace(/\n$/, ''), argv), argv, unit: unitOf(cgroup) };
}

function nameOf(comm: string, [command = '']: readonly string[]): string {
  const full = basename(command);
  // Newer Node.js gives its first thread a name of its own.
  if (comm === '' || comm === 'MainThread') return full || comm;
  return comm.length >= commLength && full.startsWith(comm) ? full : comm;
}

/** The innermost service of systemd in /proc/PID/cgroup; none for a session of a user, or a container. */
export function unitOf(cgroup: string): string | undefined {
  // Version 2, or systemd's own hierarchy of version 1.
  const line = cgroup
    .split('\n')
    .find((one) => /^(0:|\d+:name=systemd):/.test(one) && one.includes('.service'));
  const parts = line?.replace(/^[^:]*:[^:]*:/, '').split('/') ?? [];
  const unit = parts.findLast((part) => part.endsWith('.service'));
  return unit === undefined || /^user@\d+\.service$/.test(unit) ? undefined : unit;
}

/** Units that run others and say nothing of them. */
const carriers =
  /^(docker|containerd|podman|crio|cron|crond|snapd|rc-local|supervisor|supervisord|init|systemd)$/;
/** Processes that hold the sockets of others. */
const holders = /^(docker-proxy|rootlessport|slirp4netns|systemd|init)$/;

/** Whether a process of this name only holds sockets of others: containers', or units' that are yet to start. */
export function carriesOthers(name: string): boolean {
  return holders.test(name);
}

/** Programs whose script is what they are. */
const interpreters =
  /^(node|nodejs|deno|bun|python[\d.]*|pypy[\d.]*|ruby[\d.]*|perl[\d.]*|php[\d.]*|bash|sh|dash)$/;
/** Options of interpreters whose value is a word of its own. */
const takesValue =
  /^(-r|--require|--import|--loader|--experimental-loader|--env-file|--conditions|-C|-W|-X)$/;
/** Names of scripts that say nothing: that of their folder does. */
const plain =
  /^(index|main|app|server|serve|start|run|cli|manage|wsgi|asgi|bin|dist|build|src|lib|current|releases?|out|public)$/i;

/** What to call the service, and where that name comes from; undefined when nothing tells. */
export interface NameSource {
  readonly name: string;
  readonly from: string;
}

/** Names a service after its unit, its script or its process. */
export function nameFor({ name, argv, unit }: Owner): NameSource | undefined {
  const ofUnit = unit
    ?.replace(/\.service$/, '')
    .replaceAll(/\\x([0-9a-f]{2})/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))
    .replace(/^_+/, '')
    // All instances of a template are one service.
    .replace(/(.)@.*$/s, '$1');
  if (ofUnit !== undefined && serviceName(ofUnit) !== undefined && !carriers.test(ofUnit))
    return { name: ofUnit, from: 'its unit' };
  const script = scriptOf(name, argv.slice(1));
  if (script !== undefined && serviceName(script) !== undefined) return { name: script, from: 'its program' };
  if (carriesOthers(name)) return undefined;
  return serviceName(name) === undefined ? undefined : { name, from: 'its process' };
}

function scriptOf(name: string, args: readonly string[]): string | undefined {
  if (name === 'java') {
    const jar = args[args.indexOf('-jar') + 1];
    if (args.includes('-jar') && jar !== undefined) return basename(jar).replace(/(-[\d.]+\S*)?\.jar$/, '');
    const takes = /^(-cp|-classpath|--class-path|-p|--module-path|--add-modules|--add-opens|--add-exports)$/;
    const main = args.find((word, at) => !word.startsWith('-') && !takes.test(args[at - 1] ?? ''));
    return main?.split(/[./]/).pop();
  }
  if (!interpreters.test(name)) return undefined;
  const module = args[args.indexOf('-m') + 1];
  if (/^(python|pypy)/.test(name) && args.includes('-m')) return module;
  const script = args.find((word, at) => !word.startsWith('-') && !takesValue.test(args[at - 1] ?? ''));
  // With -e and the like it is a program, not the name of one.
  if (script === undefined || /[\s;(]/.test(script) || args.some((word) => /^-[ec]$|^--eval/.test(word)))
    return undefined;
  let path = script;
  for (let part = stem(path); plain.test(part); part = stem(path)) {
    path = dirname(path);
    if (path === '.' || path === '/') return undefined;
  }
  return stem(path);
}

function stem(path: string): string {
  return basename(path).replace(/\.\w{1,4}$/, '');
}

const longestName = 60;

/** Only what is harmless in a path, a file name, a metric and a shell: `[a-z0-9._-]`, beginning and ending with a letter or digit. */
export function serviceName(text: string): string | undefined {
  const name = text
    .slice(0, 4 * longestName)
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .slice(0, longestName)
    .replaceAll(/^[^a-z0-9]+|[^a-z0-9]+$/g, '');
  return name === '' ? undefined : name;
}
