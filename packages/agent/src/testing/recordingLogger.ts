import type { LogFields, Logger, LogLevel } from '../logger.js';

/** One line that a RecordingLogger was asked to write. */
export interface LogRecord {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

/** Keeps every line in `records`; children share the array and merge their fields. */
export class RecordingLogger implements Logger {
  readonly records: LogRecord[];
  readonly #fields: LogFields;

  constructor(records: LogRecord[] = [], fields: LogFields = {}) {
    this.records = records;
    this.#fields = fields;
  }

  debug(message: string, fields?: LogFields): void {
    this.#record('debug', message, fields);
  }
  info(message: string, fields?: LogFields): void {
    this.#record('info', message, fields);
  }
  warn(message: string, fields?: LogFields): void {
    this.#record('warn', message, fields);
  }
  error(message: string, fields?: LogFields): void {
    this.#record('error', message, fields);
  }
  child(fields: LogFields): Logger {
    return new RecordingLogger(this.records, { ...this.#fields, ...fields });
  }

  #record(level: LogLevel, message: string, fields: LogFields | undefined): void {
    this.records.push({ level, message, fields: { ...this.#fields, ...fields } });
  }
}
