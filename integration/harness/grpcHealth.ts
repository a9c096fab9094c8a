import { readFileSync } from 'node:fs';
import {
  loadPackageDefinition,
  Server,
  ServerCredentials,
  status,
  type ServiceDefinition,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

/** A gRPC server with the standard health service, made with gRPC's own library. */
export interface GrpcServer {
  readonly port: number;
  /** What it says of each service; '' is the server as a whole. */
  readonly statuses: Map<string, 'SERVING' | 'NOT_SERVING'>;
  close(): void;
}

interface Call {
  readonly request: { readonly service: string };
}
type Answer = (error: { code: status; details: string } | null, answer?: { status: string }) => void;

/** Starts one on the loopback, from the definition of the service in `proto`. */
export async function startGrpcServer(
  proto: string,
  pair?: { readonly certFile: string; readonly keyFile: string },
): Promise<GrpcServer> {
  const health = loadPackageDefinition(loadSync(proto, { defaults: true })) as unknown as {
    readonly grpc: {
      readonly health: { readonly v1: { readonly Health: { readonly service: ServiceDefinition } } };
    };
  };
  const statuses: GrpcServer['statuses'] = new Map([['', 'SERVING']]);
  const server = new Server();
  server.addService(health.grpc.health.v1.Health.service, {
    Check: ({ request }: Call, answer: Answer) => {
      const known = statuses.get(request.service);
      if (known === undefined) answer({ code: status.NOT_FOUND, details: 'unknown service' });
      else answer(null, { status: known });
    },
  });
  const credentials =
    pair === undefined
      ? ServerCredentials.createInsecure()
      : ServerCredentials.createSsl(null, [
          { cert_chain: readFileSync(pair.certFile), private_key: readFileSync(pair.keyFile) },
        ]);
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    }),
  );
  return { port, statuses, close: () => server.forceShutdown() };
}
