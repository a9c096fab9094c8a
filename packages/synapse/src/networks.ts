import { BlockList, isIP } from 'node:net';

/** Says what is wrong with an address or a network (10.0.0.0/8), for people; undefined: nothing. */
export function networkProblem(text: string): string | undefined {
  const [address = '', prefix, ...rest] = text.split('/');
  const most = { 4: 32, 6: 128 }[isIP(address)];
  const isFine =
    most !== undefined &&
    rest.length === 0 &&
    (prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= most));
  return isFine ? undefined : 'must be an address, or a network such as 10.0.0.0/8';
}

/** Makes the test whether an address is one of `networks`, or in one of them; they must have no problem. */
export function membership(networks: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const each of networks) {
    const [network = '', prefix] = each.split('/');
    const type = isIP(network) === 6 ? 'ipv6' : 'ipv4';
    if (prefix === undefined) list.addAddress(network, type);
    else list.addSubnet(network, Number(prefix), type);
  }
  return (address) => {
    const version = isIP(address);
    return version !== 0 && list.check(address, version === 6 ? 'ipv6' : 'ipv4');
  };
}
