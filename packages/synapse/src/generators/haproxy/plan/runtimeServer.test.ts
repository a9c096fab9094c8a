import { describe, expect, it } from 'vitest';
import { backendContext } from '../desired/backendContext.js';
import { aServer } from '../testing/sections.js';
import { capabilitiesOf } from './capabilities.js';
import { runtimeServer } from './runtimeServer.js';

/** What a server with these options becomes at run time, as words, or why it needs the file. */
function made(version: string, options: string, lines: readonly string[] = []): string {
  const context = backendContext(['mode http'], lines);
  const runtime = runtimeServer(
    aServer('a', { options: options.split(' ') }),
    context,
    capabilitiesOf(version),
  );
  return 'needsFile' in runtime ? `file: ${runtime.needsFile}` : runtime.options.join(' ');
}

describe('a server for `add server`', () => {
  it.each([
    // A keyword that came later is taken from its release on; before, the file is where it is refused.
    ['2.6.12', 'shard 2', 'file: option shard'],
    ['2.7.0', 'shard 2', 'shard 2'],
    ['3.1.0', 'strict-maxconn check', 'file: option strict-maxconn'],
    ['3.2.0', 'strict-maxconn check', 'strict-maxconn check'],
    ['3.0.0', 'init-state up check', 'file: option init-state'],
    ['3.4.0', 'init-state up check', 'init-state up check'],
    // Read as a flag, it does not swallow what follows.
    ['3.3.0', 'check-sni-auto check', 'check'],
    // Enabled is what a server becomes anyway; 3.0 refuses the word.
    ['3.0.0', 'enabled check', 'check'],
  ])('of HAProxy %s with %j is %j', (version, options, expected) => {
    expect(made(version, options)).toBe(expected);
  });

  it('has its cookie from 3.0 on', () => {
    const lines = ['cookie SRV insert'];
    expect(made('2.8.0', 'cookie x', lines)).toBe('file: cookie');
    expect(made('3.0.0', 'cookie x', lines)).toBe('cookie x');
  });

  it('states the unit of a duration: 3.4 refuses a short one without', () => {
    expect(made('3.4.0', 'check inter 1 fastinter 2s slowstart 500')).toBe(
      'check inter 1ms fastinter 2s slowstart 500ms',
    );
  });

  it('sends the SNI that the file would: 3.3 forgets it', () => {
    const sni = 'sni req.hdr(host),field(1,:)';
    expect(made('3.3.0', 'ssl verify none')).toBe(`ssl verify none ${sni}`);
    expect(made('3.2.0', 'ssl verify none')).toBe('ssl verify none');
    expect(made('3.4.0', 'ssl verify none')).toBe('ssl verify none');
    expect(made('3.3.0', 'ssl verify none sni str(x)')).toBe('ssl verify none sni str(x)');
    expect(made('3.3.0', 'check')).toBe('check');
    expect(made('3.3.0', 'ssl verify none', ['mode tcp'])).toBe('ssl verify none');
  });
});
