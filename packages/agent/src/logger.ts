import { createLogger as createWinston, format, transports, type Logger as WinstonLogger } from 'winston';

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
}

const consoleFormat = format.printf((info) => {
  const { level, message, timestamp, component, ...fields } = info;
  const details = Object.entries(fields)
    .map(([key, value]) => ` ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join('');
  const from = typeof component === 'string' ? ` ${component}:` : '';
  return `${String(timestamp)} ${level.padEnd(5)}${from} ${String(message)}${details}`;
});

function wrap(winston: WinstonLogger): Logger {
  return {
    debug: (message, fields) => void winston.debug(message, fields),
    info: (message, fields) => void winston.info(message, fields),
    warn: (message, fields) => void winston.warn(message, fields),
    error: (message, fields) => void winston.error(message, fields),
    child: (fields) => wrap(winston.child(fields)),
  };
}

/** Logs to stderr, as the Ruby pair does: stdout belongs to the commands' own output. */
export function createLogger(options: LoggerOptions): Logger {
  const shape = options.format === 'json' ? format.json() : consoleFormat;
  return wrap(
    createWinston({
      level: options.level,
      format: format.combine(format.timestamp(), shape),
      transports: [new transports.Console({ stderrLevels: ['debug', 'info', 'warn', 'error'] })],
      exitOnError: false,
    }),
  );
}

/** Discards everything. */
export const silentLogger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLogger,
};
