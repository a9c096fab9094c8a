import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Clock, systemClock } from '@smartstack/agent';
import { FakeClock } from '@smartstack/agent/testing';
import { createWatcher, discoverySchema } from '../watchers/index.js';
import { WatcherBed } from './watcherBed.js';

/** The source of a watcher, played by the test. */
export interface Played {
  readonly bed: WatcherBed;
  /** Has these hosts, each at port 80, and all that is in `evil` as if it were a registration. */
  readonly tell: (hosts: readonly string[], evil?: boolean) => void;
  /** Is away from now on, until it tells something. */
  readonly lose: () => void;
  /** Gives the watcher time to notice. */
  readonly turn: () => Promise<unknown>;
}

/** JSON, and no instance. */
export const garbage = '{"host": 5}';
/** Any interval is over. In milliseconds. */
export const far = 60_000;

/** What is to be done when the test is over is given to it. */
type CleanUp = (end: () => void | Promise<void>) => void;

/** A bed that is stopped when the test is over. */
export function bedOf(clock: Clock, cleanUp: CleanUp): WatcherBed {
  const bed = new WatcherBed(clock);
  cleanUp(() => bed.stop());
  return bed;
}

/** Runs the watcher of a `discovery`. */
export function startWatcher(bed: WatcherBed, discovery: object): void {
  bed.run(createWatcher(discoverySchema(discovery).parse(discovery), bed.context));
}

/** As nerve registers it. */
export const instanceText = (host: string): string => JSON.stringify({ host, port: 80 });

/** Children of a znode that is watched. */
export function watched(run: (bed: WatcherBed) => void, cleanUp: CleanUp): Played {
  const clock = new FakeClock();
  const bed = bedOf(clock, cleanUp);
  run(bed);
  const paths = (): string[] =>
    bed.session.watches.filter(({ disposed }) => !disposed).map(({ path }) => path);
  return {
    bed,
    tell: (hosts, evil = false) => {
      const children = hosts.map((host, at): [string, string] => [`n_${at}`, instanceText(host)]);
      for (const path of paths())
        bed.session.watch(path).read({
          ...Object.fromEntries(children),
          ...(evil && { bad_1: garbage, bad_2: '\0\xff', bad_3: new Error('no permission') }),
        });
    },
    lose: () => paths().forEach((path) => bed.session.watch(path).lose()),
    turn: () => clock.advance(1_000),
  };
}

/** Children of a znode that is read now and then. */
export function polled(run: (bed: WatcherBed) => void, cleanUp: CleanUp): Played {
  const clock = new FakeClock();
  const bed = bedOf(clock, cleanUp);
  bed.session.nodes = { '/s': new Error('connection lost') };
  run(bed);
  return {
    bed,
    tell: (hosts, evil = false) => {
      bed.session.nodes = {
        '/s': '',
        ...Object.fromEntries(hosts.map((host, at) => [`/s/n_${at}`, instanceText(host)])),
        ...(evil && { '/s/bad_1': garbage, '/s/bad_2': '\0\xff' }),
      };
    },
    lose: () => (bed.session.nodes = { '/s': new Error('connection lost') }),
    turn: () => clock.advance(far),
  };
}

/** An HTTP server that says what `bodyOf` makes of the hosts; 500 while it has nothing to say. */
export async function spoken(
  discoveryOf: (address: string) => object,
  bodyOf: (hosts: readonly string[], evil: boolean) => string,
  cleanUp: CleanUp,
): Promise<Played> {
  let body: string | undefined;
  let index = 0;
  const server = createServer((request, response) => {
    const answer = (): void => {
      response.statusCode = body === undefined ? 500 : 200;
      response.setHeader('x-consul-index', String(index + 1)).setHeader('x-consul-knownleader', 'true');
      response.end(body ?? 'down');
    };
    request.resume().on('end', () => void systemClock.setTimeout(answer, 5));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanUp(() => {
    server.closeAllConnections();
    server.close();
  });
  const bed = bedOf(systemClock, cleanUp);
  startWatcher(bed, discoveryOf(`127.0.0.1:${(server.address() as AddressInfo).port}`));
  return {
    bed,
    tell: (hosts, evil = false) => {
      index += 1;
      body = bodyOf(hosts, evil);
    },
    lose: () => (body = undefined),
    turn: () => systemClock.sleep(20),
  };
}
