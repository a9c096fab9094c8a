/** Where the commands write; main.ts lends the process's own. */
export interface Output {
  out(line: string): void;
  err(line: string): void;
}
