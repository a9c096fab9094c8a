import { parseArgs } from 'node:util';

/** What every service of the demo is told on its command line. */
export interface ServiceOptions {
  readonly port: number;
  /** Where nerve checks it, if not on `port`. */
  readonly healthPort: number;
  /** The instance's name, which its answers carry. */
  readonly name: string;
  /** Where it finds the service it depends on: always an address of this machine. */
  readonly upstream: string;
}

/** Reads `--port N --name NAME [--health-port N] [--upstream URL]`. */
export function readOptions(): ServiceOptions {
  const { values } = parseArgs({
    options: {
      port: { type: 'string' },
      'health-port': { type: 'string' },
      name: { type: 'string' },
      upstream: { type: 'string', default: '' },
    },
  });
  const port = Number(values.port);
  if (values.name === undefined || !Number.isInteger(port)) throw new Error('--port and --name are needed');
  const healthPort = Number(values['health-port'] ?? port);
  return { port, healthPort, name: values.name, upstream: values.upstream };
}
