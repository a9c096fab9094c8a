import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nameFor, ownerOf, serviceName, unitOf } from './owner.js';

const owner = (argv: readonly string[], comm = '', unit?: string) =>
  ownerOf(7, {
    comm: `${comm}\n`,
    cmdline: argv.map((word) => `${word}\0`).join(''),
    cgroup:
      unit === undefined ? '0::/user.slice/user-0.slice/session-1.scope\n' : `0::/system.slice/${unit}\n`,
  });

describe('unitOf', () => {
  it.each([
    ['0::/system.slice/redis-server.service\n', 'redis-server.service'],
    ['0::/system.slice/system-postgresql.slice/postgresql@15-main.service\n', 'postgresql@15-main.service'],
    ['0::/user.slice/user-1000.slice/user@1000.service/app.slice/web.service\n', 'web.service'],
    ['0::/system.slice/web.service/workers\n', 'web.service'],
    ['9:cpu:/x.service\n1:name=systemd:/system.slice/web.service\n0::/\n', 'web.service'],
    ['0::/user.slice/user-1000.slice/user@1000.service/init.scope\n', undefined],
    ['0::/user.slice/user-0.slice/session-1.scope\n', undefined],
    ['0::/system.slice/docker-0123456789ab.scope\n', undefined],
    ['0::/\n', undefined],
    ['', undefined],
  ])('finds it in %j', (cgroup, unit) => {
    expect(unitOf(cgroup)).toBe(unit);
  });
});

describe('ownerOf', () => {
  it('completes a name that the kernel cut off, and knows one that says nothing', () => {
    expect(owner(['/usr/sbin/prometheus-node-exporter', '-x'], 'prometheus-node').name).toBe(
      'prometheus-node-exporter',
    );
    expect(owner(['nginx: master process /usr/sbin/nginx'], 'nginx').name).toBe('nginx');
    expect(owner(['/usr/bin/node', 'a.js'], 'MainThread').name).toBe('node');
    expect(owner([], 'kthread').name).toBe('kthread');
  });
});

describe('nameFor', () => {
  it.each([
    // Units go before processes, all instances of a template are one service.
    [['/usr/bin/redis-server'], 'redis-server.service', 'redis-server', 'its unit'],
    [['/usr/lib/postgresql/15/bin/postgres'], 'postgresql@15-main.service', 'postgresql', 'its unit'],
    [['/usr/bin/x'], 'my\\x2dapp.service', 'my-app', 'its unit'],
    // Units that run others say nothing of these.
    [['/usr/bin/node', '/opt/web/server.js'], 'cron.service', 'web', 'its program'],
    [['/usr/bin/node', '/opt/web/dist/src/index.js'], undefined, 'web', 'its program'],
    [['/usr/bin/node', '--inspect', 'users.mjs', '--port', '80'], undefined, 'users', 'its program'],
    [
      ['/usr/bin/node', '-r', './trace.js', '--import', 'x', '/opt/pay/app.js'],
      undefined,
      'pay',
      'its program',
    ],
    [['/usr/bin/node', 'index.js'], undefined, 'node', 'its process'],
    [['/usr/bin/node', '-e', 'require("http")'], undefined, 'node', 'its process'],
    [['python3', '-m', 'http.server', '80'], undefined, 'http.server', 'its program'],
    [['/usr/bin/python3', '/usr/bin/gunicorn', 'app:app'], undefined, 'gunicorn', 'its program'],
    [['java', '-Xmx1g', '-jar', '/opt/orders-1.2.3-SNAPSHOT.jar', '--x'], undefined, 'orders', 'its program'],
    [['java', '-cp', 'a.jar:b.jar', 'org.example.Billing', 'x.cfg'], undefined, 'Billing', 'its program'],
    [['java', '-jar'], undefined, 'java', 'its process'],
    [['/usr/sbin/nginx'], undefined, 'nginx', 'its process'],
  ])('calls %j of %s %s', (argv, unit, name, from) => {
    expect(nameFor(owner(argv, argv[0]?.replace(/.*\//, ''), unit))).toEqual({ name, from });
  });

  it('does not name what only holds the sockets of others, or has no name', () => {
    expect(nameFor(owner(['/usr/bin/docker-proxy'], 'docker-proxy', 'docker.service'))).toBeUndefined();
    expect(nameFor(owner(['/sbin/init'], 'systemd'))).toBeUndefined();
    expect(nameFor(owner(['...'], '///'))).toBeUndefined();
  });
});

describe('serviceName', () => {
  it('keeps what is harmless', () => {
    expect(serviceName('My App_2.x')).toBe('my-app_2.x');
    expect(serviceName('__proto__')).toBe('proto');
    expect(serviceName('..')).toBeUndefined();
    expect(serviceName('日本')).toBeUndefined();
  });

  it('is harmless whatever it is made of', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (text) => {
        expect(serviceName(text) ?? 'a').toMatch(/^[a-z0-9]([a-z0-9._-]{0,58}[a-z0-9])?$/);
      }),
    );
  });
});
