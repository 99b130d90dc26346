/**
 * Fields for the schema of a backend or a section, made with zod. `@sluice/core/backend/config` exports
 * them. They are optional: a backend may use any validator.
 *
 * The first argument is the help text of the key. A key is required unless its field ends with `.optional()` or
 * `.prefault('8MiB')`, which sets the default as a user would write it.
 */

import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { messageOf } from '../error.ts';
import { problemWithBucket } from './bucket.ts';
import { formatBytes, parseBytes } from './bytes.ts';
import { formatDuration, parseDuration } from './duration.ts';
import { expandHome } from './home.ts';
import { problemWithPath } from './key-path.ts';
import { nearest } from './nearest.ts';
import type { JSONSchema } from './schema.ts';
import { isSecret, secret as hide, type Secret } from './secret.ts';
import { kindOf, show } from './show.ts';

/** A zod type, so it has `.optional()`, `.prefault(…)`, `.transform(…)` and the rest. */
export type ConfigField<Value> = z.ZodType<Value>;

/** Options of every field. */
export interface FieldOptions {
  /** A value other than the default, as a user would write it. */
  readonly example?: string | number | boolean | undefined;
  /** Describes a default that is not a value: "the bucket's". */
  readonly defaultText?: string | undefined;
}

/** Options of a text. */
export interface TextOptions extends FieldOptions {
  /** Returns the problem, phrased to follow the name of the key; undefined if there is none. */
  readonly check?: ((text: string) => string | undefined) | undefined;
  /** Also accept `<key>-file`, the path of a file with the value. Secrets always do. */
  readonly file?: true | undefined;
}

/** Limits of a number, both included. No `max`: no upper limit. */
export interface NumberOptions extends FieldOptions {
  readonly min?: number | undefined;
  readonly max?: number | undefined;
}

/** Text that is not empty. */
export function text(help: string, options: TextOptions = {}): ConfigField<string> {
  const file = options.file === true ? { 'x-file': true } : {};
  return field({ type: 'string', ...about(help, options), ...file }, (value) => {
    const given = readText(value);
    if (given instanceof Invalid) return given;
    const wrong = options.check?.(given);
    return wrong === undefined ? given : new Invalid(wrong);
  });
}

/** A secret. Removes line breaks around the value, which variables and files often have. */
export function secret(help: string, options: TextOptions = {}): ConfigField<Secret> {
  const json = { type: 'string', writeOnly: true, 'x-kind': 'secret' } as const;
  return field({ ...json, ...about(help, options) }, (value) => {
    if (isSecret(value)) return value;
    const given = readText(value);
    if (given instanceof Invalid) return given;
    const trimmed = given.replaceAll(/^\s*[\r\n]+|[\r\n]+\s*$/g, '');
    const wrong = trimmed === '' ? 'is empty' : options.check?.(trimmed);
    return wrong === undefined ? hide(trimmed) : new Invalid(wrong);
  });
}

/** `true` or `false`. */
export function boolean(help: string, options: FieldOptions = {}): ConfigField<boolean> {
  return field({ type: 'boolean', ...about(help, options) }, (value) =>
    typeof value === 'boolean' ? value : new Invalid(`must be true or false, not ${show(value)}`),
  );
}

/** A whole number. The default minimum is 0. */
export function integer(help: string, options: NumberOptions = {}): ConfigField<number> {
  const { min = 0, max } = options;
  const json = { type: 'integer', minimum: min, ...(max === undefined ? {} : { maximum: max }) };
  return field({ ...json, ...about(help, options), ...limits(options, String) }, (value) =>
    typeof value === 'number' && Number.isSafeInteger(value)
      ? within(value, options, String)
      : new Invalid(`must be a whole number, not ${show(value)}`),
  );
}

/** A duration such as `5m`, in milliseconds. The limits are in milliseconds too. */
export function duration(help: string, options: NumberOptions = {}): ConfigField<number> {
  const json = { type: 'string', 'x-kind': 'duration' } as const;
  return field(
    { ...json, ...about(help, options), ...limits(options, formatDuration) },
    (value) => {
      const ms = parseDuration(value === 0 ? '0' : typeof value === 'string' ? value : '');
      if (ms !== undefined) return within(ms, options, formatDuration);
      return new Invalid(`must be a duration such as 1s, 5m or 24h, not ${show(value)}`);
    },
  );
}

/** Limits of a size, in bytes. */
export interface SizeOptions extends NumberOptions {
  /** Sizes from here up to the minimum are taken as the minimum: 5MB (5,000,000) is meant as 5 MiB. */
  readonly raiseFrom?: number | undefined;
}

/** A number of bytes, or a size such as `10MB` or `10MiB`. The limits are in bytes. */
export function size(help: string, options: SizeOptions = {}): ConfigField<number> {
  const { min = 0, raiseFrom = min } = options;
  const json = { type: ['string', 'integer'], 'x-kind': 'size' } as const;
  return field({ ...json, ...about(help, options), ...limits(options, formatBytes) }, (value) => {
    const written = typeof value === 'number' ? String(value) : value;
    const bytes = typeof written === 'string' ? parseBytes(written) : undefined;
    const raised = bytes !== undefined && bytes >= raiseFrom ? Math.max(bytes, min) : bytes;
    if (raised !== undefined) return within(raised, options, (count) => `${count} bytes`);
    return new Invalid(`must be a size such as 10MB or 10MiB, not ${show(value)}`);
  });
}

/** One of the given words. Letter case does not matter. */
export function choice<Value extends string>(
  help: string,
  values: readonly Value[],
  options: FieldOptions = {},
): ConfigField<Value> {
  return field({ type: 'string', enum: values, ...about(help, options) }, (value) => {
    const given = typeof value === 'string' ? value.toLowerCase() : undefined;
    const found = values.find((candidate) => candidate.toLowerCase() === given);
    if (found !== undefined) return found;
    const meant = given === undefined ? undefined : nearest(given, values);
    const hint = meant === undefined ? '' : `: did you mean ${meant}?`;
    return new Invalid(`must be one of ${values.join(', ')}, not ${show(value)}${hint}`);
  });
}

/** A list of non-empty texts. */
export function texts(help: string, options: FieldOptions = {}): ConfigField<readonly string[]> {
  const json = { type: 'array', items: { type: 'string' } };
  return field({ ...json, ...about(help, options) }, (value) => {
    const list = Array.isArray(value) ? (value as readonly unknown[]) : undefined;
    return list?.every((item) => typeof item === 'string' && item !== '') === true
      ? (list as readonly string[])
      : new Invalid('must be a list of texts');
  });
}

/** Options of `endpoint`. */
export interface EndpointOptions extends FieldOptions {
  /** Chooses the scheme for a host without one. If absent, the value must have a scheme. */
  readonly scheme?: ((host: string) => 'http' | 'https') | undefined;
}

/** The URL of a server: `http(s)://host`, optionally with a path. The result has no trailing slash. */
export function endpoint(help: string, options: EndpointOptions = {}): ConfigField<string> {
  const { scheme } = options;
  return field({ type: 'string', 'x-kind': 'URL', ...about(help, options) }, (value) => {
    const given = readText(value);
    if (given instanceof Invalid) return given;
    // `host:9000` has a port; `ftp:…` has a scheme.
    const hasScheme = /^[\w+.-]*:(?!\d)/.test(given);
    const isWhole = scheme === undefined || hasScheme;
    const url = parseEndpoint(isWhole ? given : `${scheme(given)}://${given}`);
    if (url !== undefined) return (url.origin + url.pathname).replace(/\/+$/, '');
    // The value is not shown: it may contain a password.
    const form = scheme === undefined ? 'http(s)://host' : 'a host, or http(s)://host';
    return new Invalid(`must be ${form}, without a password or a query`);
  });
}

/** The name of a bucket. A provider may refuse more names: add a `check`. */
export function bucketName(help: string, options: TextOptions = {}): ConfigField<string> {
  const { check } = options;
  return text(help, {
    ...options,
    check: (name) => check?.(name) ?? problemWithBucket(name, 'a bucket'),
  });
}

/** The path of a file with a secret. The file is read immediately; white space around the secret is removed. */
export function secretFile(help: string, options: TextOptions = {}): ConfigField<Secret> {
  return field({ type: 'string', 'x-kind': 'path', ...about(help, options) }, (value) => {
    const file = readText(value);
    if (file instanceof Invalid) return file;
    try {
      const content = readFileSync(expandHome(file), 'utf8').trim();
      const wrong = content === '' ? 'names an empty file' : options.check?.(content);
      return wrong === undefined ? hide(content) : new Invalid(wrong);
    } catch (error) {
      return new Invalid(`cannot be read: ${messageOf(error)}`);
    }
  });
}

/** The key `path` of a destination that stores files under keys. Default: the root. */
export function keyPath(
  options: Pick<TextOptions, 'check'> = {},
): z.ZodType<string, string | undefined> {
  const { check } = options;
  return text('the path of the files of this database', {
    example: 'backup/app',
    check: (path) => check?.(path) ?? problemWithPath(path),
  })
    .optional()
    .transform((path) => path ?? '') as z.ZodType<string, string | undefined>;
}

/** The path of a file or folder on this machine. `~` is the home folder. */
export function filePath(help: string, options: TextOptions = {}): ConfigField<string> {
  const json = { type: 'string', 'x-kind': 'path' } as const;
  return field({ ...json, ...about(help, options) }, (value) => {
    const path = readText(value);
    if (path instanceof Invalid) return path;
    const wrong = options.check?.(path);
    return wrong === undefined ? expandHome(path) : new Invalid(wrong);
  });
}

/** Returns undefined if it is not the URL of a server, or has parts that may contain a secret. */
function parseEndpoint(written: string): URL | undefined {
  // The URL class reads http:x as http://x, which is always a mistake here.
  if (!/^https?:\/\//i.test(written) || !URL.canParse(written)) return undefined;
  const url = new URL(written);
  return url.search + url.hash + url.username + url.password === '' ? url : undefined;
}

/** A problem with a value, phrased to follow the name of its key: "must be text". */
export class Invalid {
  readonly message: string;

  constructor(message: string) {
    this.message = message;
  }
}

/** A custom field. `read` returns the value or an `Invalid`. */
export function field<Value>(
  json: JSONSchema,
  read: (value: unknown) => Value | Invalid,
): ConfigField<Value> {
  return z
    .unknown()
    .meta({ ...json })
    .transform((value, context): Value => {
      const found = value === undefined ? new Invalid('is missing') : read(value);
      if (!(found instanceof Invalid)) return found;
      context.addIssue({ code: 'custom', message: found.message });
      return z.NEVER;
    });
}

function about(help: string, { example, defaultText }: FieldOptions): JSONSchema {
  return {
    description: help,
    ...(example === undefined ? {} : { examples: [example] }),
    ...(defaultText === undefined ? {} : { 'x-default': defaultText }),
  };
}

function limits({ min, max }: NumberOptions, format: (value: number) => string): JSONSchema {
  return {
    ...(min === undefined ? {} : { 'x-min': format(min) }),
    ...(max === undefined ? {} : { 'x-max': format(max) }),
  };
}

function readText(value: unknown): string | Invalid {
  if (typeof value === 'string') return value === '' ? new Invalid('is empty') : value;
  const isScalar = typeof value === 'number' || typeof value === 'boolean';
  return new Invalid(`must be text, not ${kindOf(value)}${isScalar ? ': put it in quotes' : ''}`);
}

function within(
  value: number,
  { min = 0, max }: NumberOptions,
  format: (value: number) => string,
): number | Invalid {
  if (value < min) return new Invalid(`is ${format(value)}: the minimum is ${format(min)}`);
  if (max !== undefined && value > max) {
    return new Invalid(`is ${format(value)}: the maximum is ${format(max)}`);
  }
  return value;
}
