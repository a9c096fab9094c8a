import type { TapRequest, TapServices } from './shapes.js';

/** Hears of what is tapped. Must not throw, nor take long. */
export interface TapListener {
  /** A request has ended. */
  request(request: TapRequest): void;
  /** HAProxy had no room for so many lines about requests of a service. */
  lost(count: number): void;
  /** Whether an HAProxy tells of requests, and why none does. */
  attached(isAttached: boolean, reason?: string): void;
  /** All that had come at once was told. */
  turn(): void;
}

/** A tap that is open. */
export interface Tap {
  /** How many of a thousand requests HAProxy tells of: as many as the tap wants that wants most. */
  readonly permille: number;
  /** Lines that came of these services, whatever the filters of the tap. */
  readonly lines: number;
  /** Wants so many of a thousand from now on. */
  want(permille: number): void;
  close(): void;
}

/** Where requests can be looked at while they pass. */
export interface TapSource {
  /** All services, each with the reason why it cannot be tapped, if so. */
  services(): TapServices['services'];
  /** Taps services that can be. */
  open(services: readonly string[], permille: number, listener: TapListener): Tap;
  /** Requests that were not shown to a reader. */
  dropped(by: 'rate' | 'reader', count: number): void;
}
