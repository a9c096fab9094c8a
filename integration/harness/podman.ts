import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Child, startProcess } from './childProcess.ts';
import { eventually } from './eventually.ts';
import { makeTempDir, removeTempDir } from './tempDir.ts';

const execute = promisify(execFile);
const usualBinary = '/usr/bin/podman';

/** Why this machine has no Podman to ask, or undefined where it has. */
export function whyNoPodman(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  return existsSync(usualBinary) ? undefined : 'needs the package podman';
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}

/**
 * A Podman of the test's own, whose service answers as Docker's daemon does. Its containers are created and never
 * run, which not every machine that runs tests can: `socket` lists them as if they did.
 */
export class Podman {
  readonly #folder = makeTempDir('podman');
  readonly #images = new Map<string, string>();
  #service: Child | undefined;
  #front: Server | undefined;
  readonly #binary: string;

  constructor(binary = usualBinary) {
    this.#binary = binary;
  }

  /** Where the service listens for whoever wants running containers only. */
  get ownSocket(): string {
    return join(this.#folder, 'own.sock');
  }

  get socket(): string {
    return join(this.#folder, 'docker.sock');
  }

  /** Undefined when it is ready; else why Podman, as it is on this machine, cannot do what a test needs of it. */
  async start(): Promise<string | undefined> {
    const service = startProcess(
      this.#binary,
      this.#args('system', 'service', '--time', '0', `unix://${this.ownSocket}`),
    );
    this.#service = service;
    await eventually(() => existsSync(this.ownSocket) || !service.running, {
      ...{ what: 'Podman listens', timeoutMs: 15_000 },
    });
    if (!service.running) return `Podman's service does not run here: ${lastLine(service.output)}`;
    try {
      // With a published port, as those of tests.
      await this.create('probe', 'localhost/probe:1', ['80']);
      await this.remove('probe');
    } catch (error) {
      return `Podman cannot create containers here: ${lastLine((error as { stderr?: string }).stderr ?? String(error))}`;
    }
    this.#listen();
    await eventually(() => this.#front?.listening, { what: 'the front listens' });
    return undefined;
  }

  #listen(): void {
    this.#front = createServer((asked, response) => {
      const path = `${asked.url ?? ''}?all=true`;
      const passed = request({ socketPath: this.ownSocket, path }, (answer) => {
        response.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(response);
      });
      passed.on('error', () => response.destroy());
      passed.end();
    });
    this.#front.listen(this.socket);
  }

  /** Creates a container of an image (an empty one) with these published ports, `host:container`. */
  async create(name: string, image: string, ports: readonly string[]): Promise<void> {
    if (!this.#images.has(image)) {
      const archive = join(this.#folder, 'image.tar');
      await execute('tar', ['--create', '--file', archive, '--files-from', '/dev/null']);
      const { stdout } = await execute(this.#binary, this.#args('import', '--quiet', archive, image));
      this.#images.set(image, stdout.trim());
    }
    const published = ports.flatMap((port) => ['--publish', port]);
    await execute(this.#binary, this.#args('create', '--name', name, ...published, image, '/none'));
  }

  async remove(name: string): Promise<void> {
    await execute(this.#binary, this.#args('rm', name));
  }

  /** Ends the service, and leaves its containers. */
  async kill(): Promise<void> {
    await this.#service?.stop('SIGKILL');
  }

  async dispose(): Promise<void> {
    await this.kill();
    this.#front?.closeAllConnections();
    this.#front?.close();
    removeTempDir(this.#folder);
  }

  #args(...command: readonly string[]): string[] {
    const at = (name: string): string => join(this.#folder, name);
    return ['--root', at('root'), '--runroot', at('run'), '--storage-driver', 'vfs', ...command];
  }
}
