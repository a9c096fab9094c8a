import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../harness/eventually.ts';
import { Podman, whyNoPodman } from '../harness/podman.ts';
import { sourceOf, startSynapse, stopAfterEach } from './bed.ts';

stopAfterEach();

const why = whyNoPodman();

describe.skipIf(why !== undefined)(`method: docker${why === undefined ? '' : ` (skipped: ${why})`}`, () => {
  it("follows a real Podman's containers over its socket, and keeps them while it is away", async (context) => {
    const podman = new Podman();
    onTestFinished(() => podman.dispose());
    const unable = await podman.start();
    if (unable !== undefined) return context.skip(unable);
    await podman.create('one', 'localhost/web:1', ['127.0.0.1:18080:80', '18443:443']);
    await podman.create('other', 'localhost/api:1', ['18081:80']);
    const discovery = (socket: string): string =>
      `discovery: {method: docker, image_name: web, container_port: 80, check_interval: 0.1, servers: [{name: here, socket: ${socket}}]}\nuse_previous_backends: false\n`;
    const synapse = await startSynapse({
      web: discovery(podman.socket),
      running: discovery(podman.ownSocket),
    });
    await synapse.sees('web', ['127.0.0.1:18080']);
    await podman.create('two', 'localhost/web:1', ['18082:80']);
    await synapse.sees('web', ['127.0.0.1:18080', '127.0.0.1:18082']);
    await podman.remove('one');
    await synapse.sees('web', ['127.0.0.1:18082']);
    // None runs.
    await synapse.sees('running', []);
    expect(sourceOf(synapse, 'running')).toBe('live');
    await podman.kill();
    await eventually(() => sourceOf(synapse, 'web') === 'stale', { what: 'it is noticed' });
    await synapse.sees('web', ['127.0.0.1:18082']);
  });
});
