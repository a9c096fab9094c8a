import type { NginxConfig, NginxServiceConfig } from './blocks.js';

/** Names and addresses that only one service may have: whoever comes first. */
export class Claims {
  readonly #names = new Map<string, string>();
  readonly #addresses = new Map<string, { readonly service: string; readonly mode: string }>();

  /** Why `service` cannot have the upstream `name` and its address, or undefined: then they are its own. */
  problemOf(
    service: string,
    name: string,
    { listenAddress }: NginxConfig,
    { mode, port, listen_address: own }: NginxServiceConfig,
  ): string | undefined {
    if (!/^[A-Za-z0-9_.:-]{1,255}$/.test(name))
      return `${JSON.stringify(name)} cannot be the name of an upstream; set upstream_name`;
    const owner = this.#names.get(`${mode} ${name}`);
    if (owner !== undefined) return `the upstream ${name} already belongs to service ${owner}`;
    if (typeof port === 'number') {
      const address = normal(`${own ?? listenAddress}:${port}`);
      const other = this.#addresses.get(address);
      // In http, server_name tells them apart.
      if (other !== undefined && (mode === 'tcp' || other.mode === 'tcp'))
        return `${address} already belongs to service ${other.service}`;
      this.#addresses.set(address, { service, mode });
    }
    this.#names.set(`${mode} ${name}`, service);
    return undefined;
  }
}

function normal(address: string): string {
  return address.replace(/^localhost:/, '127.0.0.1:').replace(/^\*:/, '0.0.0.0:');
}
