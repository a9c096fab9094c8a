import { passed, warning } from '../../../checkup/types.js';
import type { HaproxyPoint } from './subject.js';

/** That a reload refuses no connection. */
export const exposeFd: HaproxyPoint = {
  id: 'haproxy-expose-fd',
  group: 'haproxy',
  title: 'a reload hands over the listeners (expose-fd listeners)',
  when: 'always',
  examine: ({ config: { base, masterSocketPath } }) => {
    const sockets = base
      .filter(({ title }) => title.trim() === 'global')
      .flatMap(({ lines }) => lines)
      .filter((line) => /^\s*stats\s+socket\s/.test(line));
    const hands = sockets.some((line) => /\sexpose-fd\s+listeners(\s|$)/.test(line));
    if (hands) return Promise.resolve(passed());
    const said =
      sockets.length === 0
        ? '`global` has no `stats socket`'
        : 'no `stats socket` in `global` has `expose-fd listeners`';
    const effect =
      masterSocketPath === undefined
        ? 'connections that come while HAProxy reloads may be refused'
        : 'a master before HAProxy 2.6 needs it; later ones hand over by themselves';
    return Promise.resolve(
      warning([`${said}: ${effect}`], 'append `expose-fd listeners` to the `stats socket` line of `global`'),
    );
  },
};
