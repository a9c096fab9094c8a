import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  presetDefaults,
  presetGlobal,
  presetsSchema,
} from '../../packages/synapse/src/generators/haproxy/block/presets.ts';
import { onCleanUp, type Vm, type VmOptions } from '../discovery/bed.ts';
import { type Haproxy, haproxyPaths, startHaproxy } from '../harness/haproxy.ts';
import { freePort } from '../harness/ports.ts';
import { makeTempDir } from '../harness/tempDir.ts';

/** Two HAProxies that load one file: each has its admin socket where its environment says. */
export interface Twins {
  /** What synapse's configuration says of them. */
  readonly options: VmOptions;
  readonly adminSockets: readonly string[];
  /** Starts both on the VM's file, as systemd would have before synapse came. */
  start(vm: Vm): Promise<readonly Haproxy[]>;
}

const socketVariable = 'ADMIN_SOCKET';

/** Prepares them; `options` are for the VM whose synapse owns both. */
export function prepareTwins(): Twins {
  const folder = makeTempDir('twins');
  const folders = ['a', 'b'].map((name) => join(folder, name));
  const presets = presetsSchema.parse({});
  const global = presetGlobal(presets, [`"\${${socketVariable}}"`], []);
  const defaults = presetDefaults(presets);
  const adminSockets = folders.map((each) => haproxyPaths(each).adminSocket);
  return {
    adminSockets,
    options: {
      managed: false,
      settings: {
        global,
        defaults,
        section_keywords: 'modern',
        socket_file_path: adminSockets,
        master_socket_path: undefined,
        reload_command: `kill -USR2 $(cat ${folder}/*/pid)`,
      },
      env: { [socketVariable]: '/nowhere.sock' },
    },
    start: async (vm) => {
      const port = await freePort();
      writeFileSync(
        vm.configFile,
        ['global', ...global, 'defaults', ...defaults, 'listen idle', `bind 127.0.0.1:${port}`, ''].join(
          '\n',
        ),
      );
      return Promise.all(
        folders.map(async (dir) => {
          mkdirSync(dir, { recursive: true });
          const env = { [socketVariable]: haproxyPaths(dir).adminSocket };
          const haproxy = await startHaproxy({ dir, configFile: vm.configFile, env });
          onCleanUp(() => haproxy.stop());
          writeFileSync(join(dir, 'pid'), `${haproxy.pid}\n`);
          return haproxy;
        }),
      );
    },
  };
}
