/**
 * The log: one line for each event, text or JSON, to stdout or stderr. A failed try that is
 * repeated is WARN; ERROR is for what stays failed.
 */

import type { Logger } from '@sluice/core/backend';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];
export const LOG_TYPES = ['text', 'json', 'pretty'] as const;
export type LogType = (typeof LOG_TYPES)[number];

export interface LogOptions {
  readonly level: LogLevel;
  readonly type: LogType;
  readonly stream: NodeJS.WritableStream;
}

export function createLogger(options: LogOptions): Logger {
  const least = LOG_LEVELS.indexOf(options.level);
  const write = (level: LogLevel, message: string, fields: Fields = {}): void => {
    if (LOG_LEVELS.indexOf(level) < least) return;
    options.stream.write(`${format(options.type, level, message, fields)}\n`);
  };
  return {
    debug: (message, fields) => write('debug', message, fields),
    info: (message, fields) => write('info', message, fields),
    warn: (message, fields) => write('warn', message, fields),
    error: (message, fields) => write('error', message, fields),
  };
}

type Fields = Readonly<Record<string, unknown>>;

function format(type: LogType, level: LogLevel, message: string, fields: Fields): string {
  const time = new Date().toISOString();
  if (type === 'json') {
    return JSON.stringify({ time, level: level.toUpperCase(), msg: message, ...fields }, plain);
  }
  const pairs = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${quote(value)}`);
  const head =
    type === 'pretty' ? `${time.slice(11, 23)} ${level}` : `${time} ${level.toUpperCase()}`;
  return [head, message, ...pairs].join(' ');
}

function quote(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value, plain);
  return /[\s"=]/.test(text) ? JSON.stringify(text) : text;
}

function plain(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}
