import type { Connection } from './connection.js';
import type { Place } from './place.js';

/** What every view stands on. */
export interface Page {
  readonly connection: Connection;
  /** When the agent began to count; wall clock milliseconds. */
  readonly startedAt: () => number;
  /** Goes to a place; `quietly`: without a step in the browser's history. */
  readonly go: (place: Partial<Place>, quietly?: boolean) => void;
}

/** One of the dashboard's views, for as long as it is shown. */
export interface ViewPart {
  readonly element: HTMLElement;
  /** What the page is called. */
  readonly title: string;
  /** The place changed, and is still this view's. */
  moved(place: Place): void;
  /** Asks the agent until `signal` aborts. */
  run(signal: AbortSignal): void;
  /** Takes a key; false where it means nothing here. */
  key(name: string): boolean;
}
