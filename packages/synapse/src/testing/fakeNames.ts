import type {
  AddressRecord,
  NameServer,
  OpenNameServer,
  ServiceRecord,
} from '../watchers/names/nameServer.js';

/** A name server whose answers the test sets. A name that it does not know does not exist; an Error is no answer. */
export class FakeNames {
  readonly addresses = new Map<string, readonly string[] | Error>();
  readonly services = new Map<string, readonly ServiceRecord[] | Error>();
  ttl = 60;
  usesIPv6 = false;
  /** The next questions are not answered before they are called off. */
  hangs = false;
  /** How often each name was asked for, with its kind: `4 web.test`. */
  readonly asked: string[] = [];
  readonly opened: (readonly string[] | undefined)[] = [];

  readonly open: OpenNameServer = (nameservers) => {
    this.opened.push(nameservers);
    let close = (): void => undefined;
    const closed = new Promise<never>((_, reject) => {
      close = () => reject(new Error('called off'));
    });
    closed.catch(() => undefined);
    const answer = <T>(question: string, found: T | Error | undefined, none: T): Promise<T> => {
      this.asked.push(question);
      if (this.hangs) return closed;
      return found instanceof Error ? Promise.reject(found) : Promise.resolve(found ?? none);
    };
    const server: NameServer = {
      addresses: async (name, family): Promise<readonly AddressRecord[]> => {
        const all = await answer(`${family} ${name}`, this.addresses.get(`${family} ${name}`), []);
        return all.map((address) => ({ address, ttl: this.ttl }));
      },
      services: (name) => answer(`srv ${name}`, this.services.get(name), []),
      usesIPv6: this.usesIPv6,
      close,
    };
    return Promise.resolve(server);
  };
}
