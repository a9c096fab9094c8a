import { createLogger as createWinston, format, transports } from 'winston';
import { toJson } from './json.js';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
export type LogFields = Readonly<Record<string, unknown>>;

/**
 * Structured log. Messages are static, so that they group; whatever varies goes into `fields`.
 * Info and above are transitions an operator acts on; every probe or command is debug.
 */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger that adds `fields` (usually `{ component }`) to every line. */
  child(fields: LogFields): Logger;
}

export interface LoggerOptions {
  readonly level: LogLevel;
  /** `json` for collectors, `console` for people. */
  readonly format: 'json' | 'console';
  /** Default stderr, as of the Ruby pair: stdout belongs to the commands' own output. */
  readonly stream?: NodeJS.WritableStream;
}

interface Line {
  readonly level: string;
  readonly message: string;
  readonly timestamp: string;
  readonly fields: LogFields;
}

/** One JSON object; a field cannot take the place of the level, the message or the time. */
function jsonLine({ level, message, timestamp, fields }: Line): string {
  const reserved = { timestamp, level, message };
  const others = Object.entries(fields).map(([key, value]) => [key in reserved ? `${key}_` : key, value]);
  return toJson({ ...reserved, ...Object.fromEntries(others) });
}

/** One line for people; nothing in a value can end the line, or pass for another field. */
function consoleLine({ level, message, timestamp, fields }: Line): string {
  const { component, ...others } = fields;
  const details = Object.entries(others)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${word(key)}=${shown(value)}`);
  const from = typeof component === 'string' ? ` ${word(component)}:` : '';
  return `${timestamp} ${level.padEnd(5)}${from} ${escapeControls(message)}${details.join('')}`;
}

function shown(value: unknown): string {
  if (typeof value === 'string') return word(value);
  if (value instanceof Error && typeof (value as { code?: unknown }).code === 'string') {
    return word(`${value.name}: ${value.message}`);
  }
  return escapeControls(toJson(value));
}

/** As it is when it is one plain word, quoted otherwise. */
function word(text: string): string {
  return /^[\p{L}\p{N}\p{P}\p{S}]+$/u.test(text) && !/["=]/.test(text) && text !== ''
    ? text
    : escapeControls(JSON.stringify(text));
}

/** Line breaks, terminal sequences and characters that reorder text, written as escapes. */
function escapeControls(text: string): string {
  return text.replaceAll(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu,
    (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`,
  );
}

/** A logger that writes a line for each call, at once. */
export function createLogger(options: LoggerOptions): Logger {
  const toLine = options.format === 'json' ? jsonLine : consoleLine;
  const stream = options.stream ?? process.stderr;
  // Whoever reads the log may go away; the agent goes on.
  stream.on('error', () => undefined);
  const winston = createWinston({
    level: options.level,
    format: format.combine(
      format.timestamp(),
      format.printf((info) => toLine(info as unknown as Line)),
    ),
    transports: [new transports.Stream({ stream })],
    exitOnError: false,
  });
  const bound = (own: LogFields): Logger => {
    // Nested under one key: winston itself treats `message`, `level` and `splat` among fields specially.
    const log = (level: LogLevel) => (message: string, fields?: LogFields) => {
      winston.log({ level, message, fields: { ...own, ...fields } });
    };
    return {
      debug: log('debug'),
      info: log('info'),
      warn: log('warn'),
      error: log('error'),
      child: (fields) => bound({ ...own, ...fields }),
    };
  };
  return bound({});
}

/** Discards everything. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
};
