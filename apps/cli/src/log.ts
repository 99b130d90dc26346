/**
 * The log: one line per event, to stdout or stderr.
 *
 *  text    time=2026-01-31T12:00:00.000Z level=INFO msg="…" key=value    as in Litestream
 *  json    {"time":"…","level":"INFO","msg":"…","key":"value"}
 *  pretty  12:00:00.000 INFO …  key=value                              for people
 *
 * A failed attempt that will be retried is WARN; a final failure is ERROR.
 */

import { messageOf, type Logger } from '@sluice/core/backend';
import { LogOutput, type LogStream } from './log-output.ts';
import type { Secrets } from './secrets.ts';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export const LOG_TYPES = ['text', 'json', 'pretty'] as const;
export type LogType = (typeof LOG_TYPES)[number];

export interface LogOptions {
  readonly level: LogLevel;
  readonly type: LogType;
  readonly stream: LogStream;
  /** Lines go here while `stream` cannot be written to. */
  readonly fallback?: LogStream | undefined;
  readonly secrets: Secrets;
  readonly now?: () => Date;
}

type Fields = Readonly<Record<string, unknown>>;

export function createLogger(options: LogOptions): Logger {
  const least = LOG_LEVELS.indexOf(options.level);
  const now = options.now ?? ((): Date => new Date());
  const streams = options.fallback === undefined ? [] : [options.fallback];
  const output = new LogOutput([options.stream, ...streams], {
    onBroken: (error) => write('warn', `a log output cannot be written to: ${messageOf(error)}`),
    onLost: (lines) => write('warn', `${lines} lines before this one could not be written`),
  });
  const write = (level: LogLevel, message: string, fields: Fields = {}): void => {
    if (LOG_LEVELS.indexOf(level) < least) return;
    const pairs = given(fields, options.secrets);
    const line = FORMATS[options.type](now(), level, options.secrets.clean(message), pairs);
    output.write(`${line}\n`);
  };
  return {
    debug: (message, fields) => write('debug', message, fields),
    info: (message, fields) => write('info', message, fields),
    warn: (message, fields) => write('warn', message, fields),
    error: (message, fields) => write('error', message, fields),
  };
}

/** The level with this name; `warning` is accepted because it is common. */
export function toLogLevel(word: string): LogLevel | undefined {
  const lower = word.toLowerCase();
  return LOG_LEVELS.find((level) => level === (lower === 'warning' ? 'warn' : lower));
}

type Format = (
  time: Date,
  level: LogLevel,
  message: string,
  fields: readonly [string, unknown][],
) => string;

const FORMATS: Readonly<Record<LogType, Format>> = {
  text: (time, level, message, fields) => {
    const head = `time=${time.toISOString()} level=${level.toUpperCase()} msg=${quote(message)}`;
    return [head, ...pairs(fields)].join(' ');
  },
  json: (time, level, message, fields) =>
    JSON.stringify({
      time,
      level: level.toUpperCase(),
      msg: message,
      ...Object.fromEntries(fields),
    }),
  pretty: (time, level, message, fields) => {
    const head = `${time.toISOString().slice(11, 23)} ${level.toUpperCase().padEnd(5)} ${message}`;
    return [head, ...pairs(fields)].join(' ');
  },
};

/** The fields that have a value, in JSON types, without secrets. */
function given(fields: Fields, secrets: Secrets): [string, unknown][] {
  return Object.entries(fields).flatMap(([key, value]): [string, unknown][] =>
    value === undefined ? [] : [[key, plain(value, secrets)]],
  );
}

/** Redacts before quoting, because quoting could hide a secret from the search. */
function plain(value: unknown, secrets: Secrets): unknown {
  const text = JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner === 'string') return secrets.clean(inner);
    if (typeof inner === 'bigint') return inner.toString();
    return inner instanceof Error ? secrets.clean(inner.message) : inner;
  });
  return text === undefined ? String(value) : (JSON.parse(text) as unknown);
}

function pairs(fields: readonly [string, unknown][]): string[] {
  return fields.map(([key, value]) => `${key}=${quote(value)}`);
}

function quote(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text === '' || /[\s"=\\]|[^\x20-\x7e]/.test(text) ? JSON.stringify(text) : text;
}
