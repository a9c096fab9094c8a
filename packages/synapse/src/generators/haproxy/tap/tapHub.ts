import type { Tap, TapListener, TapSource } from '../../../tap/types.js';
import type { TapServices } from '../../../tap/shapes.js';
import { isTier } from '../desired/tierNames.js';
import { type Outline, outlineOf } from '../desired/outline.js';
import { isMeant } from '../desired/tapClashes.js';
import { tapLinesOf } from '../desired/tapLines.js';
import { wholeTap } from '../desired/tapNames.js';
import type { ServiceSections } from '../types.js';
import type { TapLine } from './tapLine.js';
import type { TapMetrics, TapTotals } from './tapMetrics.js';

interface OpenTap {
  readonly services: ReadonlySet<string>;
  readonly listener: TapListener;
  /** Of what was wanted when it was opened. */
  readonly revision: number;
  permille: number;
  lines: number;
}

/** The tap in a few numbers. */
export interface TapStatus extends TapTotals {
  readonly readers: number;
}

/** Who taps what: brings those who look together with whoever reads HAProxy. Knows no time and does no IO. */
export class TapHub implements TapSource {
  readonly #metrics: TapMetrics;
  readonly #taps = new Set<OpenTap>();
  readonly #waiting = new Set<() => void>();
  #services: TapServices['services'] = [];
  #serviceOf: ReadonlyMap<string, string> = new Map();
  #frontendOf: ReadonlyMap<string, string> = new Map();
  #revision = 0;
  /** What the above follow from. */
  #served: { readonly outline: Outline; readonly reasonOf: (service: string) => string } | undefined;

  constructor(metrics: TapMetrics) {
    this.#metrics = metrics;
  }

  /** Takes the sections as they are wanted, and what keeps services from being tapped. */
  serve(sections: readonly ServiceSections[], reasonOf: (service: string) => string): void {
    const outline = outlineOf(sections);
    if (outline === this.#served?.outline && reasonOf === this.#served.reasonOf) return;
    this.#served = { outline, reasonOf };
    const own = sections.filter(({ service }) => !isTier(service));
    const tapped = own.flatMap((each): [string, string][] => {
      const name = each.frontend?.title.split(/\s+/)[1];
      return name === undefined || tapLinesOf(each).length === 0 ? [] : [[each.service, name]];
    });
    this.#frontendOf = new Map(tapped);
    this.#serviceOf = new Map(tapped.map(([service, frontend]) => [frontend, service]));
    this.#services = own.map(({ service }) => {
      if (this.#frontendOf.has(service)) return { service };
      const reason = reasonOf(service);
      return { service, reason, ...(isMeant(reason) && { isMeant: true }) };
    });
    if (!this.isIdle) this.#change();
  }

  services(): TapServices['services'] {
    return this.#services;
  }

  open(services: readonly string[], permille: number, listener: TapListener): Tap {
    const revision = this.#revision + 1;
    const tap: OpenTap = { services: new Set(services), listener, revision, permille, lines: 0 };
    this.#taps.add(tap);
    this.#metrics.readers(this.#taps.size);
    this.#change();
    const most = (): number => {
      const others = [...this.#taps].filter((each) => services.some((name) => each.services.has(name)));
      return Math.max(tap.permille, ...others.map((each) => each.permille));
    };
    return {
      get permille() {
        return most();
      },
      get lines() {
        return tap.lines;
      },
      want: (wanted) => {
        if (wanted === tap.permille) return;
        tap.permille = wanted;
        this.#change();
      },
      close: () => {
        if (!this.#taps.delete(tap)) return;
        this.#metrics.readers(this.#taps.size);
        this.#change();
      },
    };
  }

  dropped(by: 'rate' | 'reader', count: number): void {
    this.#metrics.dropped(by, count);
  }

  /** How many look now, and what came of it since the start. */
  status(): TapStatus {
    return { readers: this.#taps.size, ...this.#metrics.totals };
  }

  /** Nobody looks. */
  get isIdle(): boolean {
    return this.#taps.size === 0;
  }

  /** How many of a thousand requests are wanted, by frontend. */
  wanted(): ReadonlyMap<string, number> {
    const wanted = new Map<string, number>();
    for (const { services, permille } of this.#taps) {
      for (const service of services) {
        const frontend = this.#frontendOf.get(service);
        if (frontend === undefined) continue;
        wanted.set(frontend, Math.min(wholeTap, Math.max(permille, wanted.get(frontend) ?? 0)));
      }
    }
    return wanted;
  }

  /** Resolves once something else is wanted, or when `signal` aborts. */
  changed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#waiting.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#waiting.add(done);
      signal.addEventListener('abort', done, { once: true });
      if (signal.aborted) done();
    });
  }

  /** Whoever reads HAProxy got a line. */
  line({ frontend, request }: TapLine): void {
    const service = this.#serviceOf.get(frontend);
    if (service === undefined) return;
    this.#metrics.lines(1);
    for (const tap of this.#taps) {
      if (!tap.services.has(service)) continue;
      // What HAProxy refused unread comes whatever share is asked for: it says nothing of that.
      if (request.method !== null) tap.lines += 1;
      tap.listener.request({ ...request, service });
    }
  }

  /** All that came at once was told. */
  turn(): void {
    for (const { listener } of this.#taps) listener.turn();
  }

  /** Lines about requests of a frontend are lost. */
  lost(frontend: string, count: number): void {
    const service = this.#serviceOf.get(frontend);
    if (service === undefined) return;
    const taps = [...this.#taps].filter(({ services }) => services.has(service));
    if (taps.length === 0) return;
    this.#metrics.dropped('haproxy', count);
    for (const { listener } of taps) listener.lost(count);
  }

  /** Grows with each change of what is wanted. */
  get revision(): number {
    return this.#revision;
  }

  /** Whether HAProxy is read as was wanted at a revision, and why it is not. */
  attached(revision: number, isAttached: boolean, reason?: string): void {
    for (const tap of this.#taps) if (tap.revision <= revision) tap.listener.attached(isAttached, reason);
  }

  #change(): void {
    this.#revision += 1;
    for (const done of [...this.#waiting]) done();
  }
}
