import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { readHaproxyBlock } from '../../packages/synapse/src/generators/haproxy/block/blocks.ts';
import { desiredState } from '../../packages/synapse/src/generators/haproxy/desired/desired.ts';
import { emptyMemory } from '../../packages/synapse/src/generators/haproxy/desired/memory.ts';
import { render } from '../../packages/synapse/src/generators/haproxy/desired/render.ts';
import { haproxyBinary } from '../harness/haproxy.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { suited } from './bed.ts';

/** As Yelp's synapse-tools writes it: presets, a backend for each location, and the ACL that chooses one. */
const top = {
  global: ['daemon', 'maxconn 2000', 'stats socket /run/h.sock mode 660 level admin'],
  defaults: [
    ...['mode http', 'balance leastconn', 'option redispatch', 'retries 1', 'timeout connect 200ms'],
    ...['timeout client 1000ms', 'timeout server 1000ms', 'timeout tarpit 60s'],
  ],
  extra_sections: { 'listen stats': ['bind :3212', 'mode http', 'stats enable', 'stats uri /'] },
  ...{ bind_address: '0.0.0.0', restart_interval: 60, restart_jitter: 0.1, server_order_seed: 7 },
  ...{ config_file_path: '/h.cfg', socket_file_path: '/run/h.sock', reload_command: 'true' },
};
const server_options = 'check port 6666 observe layer7 maxconn 50 maxqueue 10 inter 10m fastinter 30s';
const frontend = (map: string): readonly string[] => [
  'acl web_near connslots(web.near) gt 0',
  'use_backend web.near if web_near',
  // In place of chaos and of the Lua that says where a request came from.
  'http-request silent-drop if { rand(100) lt 5 }',
  'http-request tarpit if { hdr(X-Ctx-Tarpit) -m found }',
  `http-request set-header X-Smartstack-Origin %[src,map_ip(${map},unknown)]`,
];
const backend = [
  'option httpchk GET /http/web.main/8080/status',
  'http-check send-state',
  'http-request set-timeout server 5s if { path_beg /slow }',
  'http-request return status 503 if { rand(100) lt 5 }',
];

it('what Yelp’s synapse-tools writes, and what stands for the rest of it, are ordinary lines that HAProxy takes', () => {
  const dir = makeTempDir('yelp');
  onTestFinished(() => removeTempDir(dir));
  const map = join(dir, 'ip_to_service.map');
  writeFileSync(map, '10.0.0.1 shop\n');
  const near = { server_options, backend };
  const instances = [{ host: '10.0.0.1', port: 80, name: 'a' }];
  const services = [
    { name: 'web', blocks: { haproxy: { ...near, port: 20_000, frontend: frontend(map) } } },
    { name: 'web.near', blocks: { haproxy: near } },
  ].map((each) => ({ ...each, source: 'live', instances }) as const);
  const { config, issues } = readHaproxyBlock(top, 'h');
  expect(issues).toEqual([]);
  expect(config).toMatchObject({ restartIntervalMs: 60_000, restartJitter: 0.1 });
  const made = desiredState(config!, { services }, emptyMemory, new Map(), 0);
  expect(made.issues).toEqual([]);
  const text = render(suited(made.desired));
  for (const line of [...top.global, ...top.defaults, ...frontend(map), ...backend])
    expect(text).toContain(`\t${line}\n`);
  expect(text).toContain('\tbind 0.0.0.0:20000\n');
  expect(text.match(/\tserver a_10\.0\.0\.1:80 10\.0\.0\.1:80 id 1 .*/g)).toEqual(
    [1, 2].map(() => `\tserver a_10.0.0.1:80 10.0.0.1:80 id 1 ${server_options}`),
  );
  const file = join(dir, 'haproxy.cfg');
  writeFileSync(file, text);
  // Throws with what HAProxy says, if it rejects the file.
  execFileSync(haproxyBinary, ['-c', '-f', file], { stdio: 'pipe' });
});
