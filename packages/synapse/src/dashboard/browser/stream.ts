import type { TapEvent } from '../../tap/shapes.js';
import { ApiError } from './api.js';

/** Follows what the agent tells of requests, until it ends or `signal` aborts. Throws ApiError for a refusal, and with status 0 when the agent goes away. */
export async function follow(
  query: string,
  onEvents: (events: readonly TapEvent[]) => void,
  signal: AbortSignal,
): Promise<void> {
  try {
    const response = await fetch(`/v1/tap?${query}`, {
      ...{ signal, cache: 'no-store', credentials: 'omit', redirect: 'error' },
    });
    if (!response.ok) {
      const body = (await response.json().catch(() => undefined)) as { readonly error?: string } | undefined;
      throw new ApiError(response.status, body?.error ?? response.statusText);
    }
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    for (;;) {
      const read = await reader?.read();
      if (read === undefined || read.done) return;
      const lines = (rest + read.value).split('\n');
      rest = lines.pop() ?? '';
      onEvents(lines.filter((line) => line !== '').map((line) => JSON.parse(line) as TapEvent));
    }
  } catch (error) {
    if (signal.aborted) return;
    if (error instanceof ApiError) throw error;
    throw new ApiError(0, error instanceof Error ? error.message : 'no answer');
  }
}
