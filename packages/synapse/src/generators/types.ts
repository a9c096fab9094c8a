import type { Clock, Gauge, Logger, Metrics } from '@smartstack/agent';

import type { Location } from '../catalog/locality.js';
import type { BlockIssue, CatalogView, Finding, Generator } from '../catalog/types.js';
import type { Point } from '../checkup/types.js';
import type { GeneratorRules } from '../config/serviceReader.js';
import type { StatsdEvents } from '../statsdEvents.js';
import type { TrafficSettings } from '../traffic/types.js';

/** What agent.yaml says that generators follow; absent where nobody said. */
export interface HostSettings {
  /** Where this host is. */
  readonly location?: Location;
  readonly traffic?: TrafficSettings;
}

/** What a generator may use. */
export interface GeneratorContext extends HostSettings {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Hears what DogStatsD is told of. */
  readonly events?: Pick<StatsdEvents, 'haproxyChecked' | 'haproxyReloadFailed'>;
}

/** What a generator that only compares may use. */
interface ShadowContext extends GeneratorContext {
  /** How much differs, by `generator` and `where`. */
  readonly gauge: Gauge;
}

/** One kind of generator: the rules of its blocks (pure), and its constructor. */
export interface GeneratorKind extends GeneratorRules {
  /** `block` passed `check`. Does nothing yet: IO begins with `run` and `reconcile`. */
  readonly create: (block: unknown, context: GeneratorContext) => Generator;
  /** In its place with `--shadow`: writes nothing, and reports what differs from what runs. Absent: there is none. */
  readonly createShadow?: (block: unknown, context: ShadowContext) => Promise<Generator>;
  /**
   * What it would write for `view`, without any memory; looks up host names, for a bounded time. `block`
   * passed `check`.
   */
  readonly render: (
    block: unknown,
    view: CatalogView,
    clock: Clock,
    host?: HostSettings,
  ) => Promise<Rendered>;
  /** What would change against live files. Changes nothing. Throws AgentError where there are none. */
  readonly diff?: (input: DiffInput, clock: Clock, host?: HostSettings) => Promise<GeneratorDiff>;
  /** What blocks do that they do not seem to do, and what the consumer itself says of them. Changes nothing. */
  readonly lint?: (blocks: LintedBlocks, clock: Clock) => Promise<readonly Finding[]>;
  /**
   * For `--check-config`: what is wrong beyond single blocks, and what `block`, which passed `check`, needs of this
   * machine and does not find. Changes nothing.
   */
  readonly examine?: (
    block: unknown,
    view: CatalogView,
    clock: Clock,
    host?: HostSettings,
  ) => Promise<readonly BlockIssue[]>;
  /** For `synapse check`: what it looks at of the consumer. */
  readonly points?: () => Promise<readonly GeneratorPoint[]>;
}

/** What is linted: blocks as they stand in the files, which passed `check`, and a view with an instance of each service. */
interface LintedBlocks {
  readonly block: unknown;
  readonly services: ReadonlyMap<string, unknown>;
  readonly view: CatalogView;
}

/** Against what is compared. */
export interface DiffInput {
  readonly block: unknown;
  /** Blocks of the services by name. */
  readonly services: ReadonlyMap<string, unknown>;
  readonly view: CatalogView;
  /** The view holds what is registered; else the live files say who is there. */
  readonly isDiscovered: boolean;
  /** The live files, in place of those that the block names. */
  readonly haproxyFile: string | undefined;
  readonly stateFile: string | undefined;
}

/** What would change in a consumer's live files. */
export interface GeneratorDiff {
  /** The file that was compared. */
  readonly live: string;
  readonly changes: readonly {
    readonly title: string;
    readonly kind: 'added' | 'removed' | 'changed' | 'moved';
    readonly changes: readonly { readonly op: '-' | '+'; readonly text: string; readonly line: number }[];
    readonly notes: readonly string[];
  }[];
  /** What differs and means the same. */
  readonly harmless: readonly string[];
  /** Lines that the other agent leaves out, and ours writes. */
  readonly accepted: readonly { readonly service: string; readonly section: string; readonly line: string }[];
  /** What becomes of the state file. */
  readonly state: readonly string[];
  readonly notes: readonly string[];
}

/** The text of a file, and one line for each thing that was left out of it. */
export interface Rendered {
  readonly text: string;
  readonly notes: readonly string[];
}

/** Generators by the name of their block. Those of modules are added while a configuration is read. */
export type GeneratorTable = Map<string, GeneratorKind>;

/** What the points of a generator are examined on. */
export interface GeneratorSubject {
  /** Its top-level block, which passed `check`. */
  readonly block: unknown;
  /** Blocks of the services, raw, by name. */
  readonly services: ReadonlyMap<string, unknown>;
  /** The services with an instance each, so that the line of a server can be tried. */
  readonly view: CatalogView;
  readonly host: HostSettings;
  readonly clock: Clock;
}

export type GeneratorPoint = Point<GeneratorSubject>;
