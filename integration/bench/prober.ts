import { Agent, request } from 'node:http';

/** Asks a frontend, over one kept connection, for the server of a given name (`use-server` on `X-Server`). */
export class Prober {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 });
  readonly #port: number;

  constructor(port: number) {
    this.#port = port;
  }

  /** The body of the answer, which is the identity of whoever served it; undefined when nobody did. */
  ask(server: string): Promise<string | undefined> {
    return new Promise((resolve, reject) => {
      const outgoing = request(
        {
          host: '127.0.0.1',
          port: this.#port,
          agent: this.#agent,
          headers: { 'x-server': server },
          timeout: 10_000,
        },
        (response) => {
          let body = '';
          response.setEncoding('utf8');
          response.on('data', (chunk: string) => (body += chunk));
          response.on('end', () => resolve(response.statusCode === 200 ? body : undefined));
          response.on('error', reject);
        },
      );
      outgoing.on('error', reject);
      outgoing.end();
    });
  }

  /** Milliseconds since `start` (performance.now) until the answer satisfies `condition`. Throws after 10 s. */
  async until(
    server: string,
    start: number,
    condition: (identity: string | undefined) => boolean,
  ): Promise<number> {
    for (;;) {
      const identity = await this.ask(server);
      const took = performance.now() - start;
      if (condition(identity)) return took;
      if (took > 10_000) throw new Error(`${server}: no change of routing within 10 s`);
    }
  }

  close(): void {
    this.#agent.destroy();
  }
}
