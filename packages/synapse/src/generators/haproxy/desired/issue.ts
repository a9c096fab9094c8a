/** Something that was left out of the configuration, or taken with a doubt. One sentence for people. */
export interface HaproxyIssue {
  readonly severity: 'error' | 'warning';
  readonly reason: string;
  readonly service?: string;
  /** The instance concerned, as `name host:port`; absent when it is the service as a whole. */
  readonly instance?: string;
}
