import { describe, expect, it, onTestFinished } from 'vitest';
import { holds } from '../harness/eventually.ts';
import { makeTempDir, removeTempDir } from '../harness/tempDir.ts';
import { ready, startNerve } from '../nerve/bed.ts';
import { sourceOf, startSynapse, stopAfterEach } from './bed.ts';

stopAfterEach();

const service = (directory: string, port: number): object => ({
  ...{ host: '10.0.0.5', port, check_interval: 0.1 },
  ...{ reporter_type: 'file', file_directory: directory, file_ttl: 1 },
});

describe('method: file', () => {
  it('follows the folder of a real nerve, which touches its files, dies, and comes back', async () => {
    const directory = makeTempDir('registry');
    onTestFinished(() => removeTempDir(directory));
    const discovery = (more = ''): string =>
      `discovery: {method: file, file_directory: ${directory}${more}}\nuse_previous_backends: false\n`;
    const synapse = await startSynapse({ web: discovery(), alias: discovery(', file_service: api') });
    const main = { services: { web: service(directory, 80), api: service(directory, 81) } };
    const nerve = await startNerve({ main });
    await ready(nerve);
    await synapse.sees('web', ['10.0.0.5:80']);
    await synapse.sees('alias', ['10.0.0.5:81']);
    // Longer than the time to live: it counts because it is touched.
    const views = synapse.generator.views.length;
    await holds(() => synapse.generator.views.length === views, { what: 'nothing changes', forMs: 1_500 });
    await nerve.stop('SIGKILL');
    await synapse.sees('web', []);
    expect(sourceOf(synapse, 'web')).toBe('live');
    await ready(await startNerve({ main }));
    await synapse.sees('web', ['10.0.0.5:80']);
  });
});
