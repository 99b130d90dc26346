/**
 * Reads one object of a configuration and collects everything that is wrong with it.
 *
 * A backend's `parse` asks for each key once, in the words of its configuration, and then calls
 * `finish`, which throws CONFIG_INVALID with all issues at once: wrong types and values, missing
 * keys, keys that exclude each other, and keys that nobody asked for, with the nearest known one.
 * What URL queries and environment variables give is text, so a number, a boolean or a duration
 * may be text everywhere; text may not be a number, because YAML has already lost its spelling.
 */

import { readFileSync } from 'node:fs';

import { messageOf, ReplicationError, type ConfigIssue } from '../error.ts';
import { parseBytes } from './bytes.ts';
import { parseDuration } from './duration.ts';
import { nearest } from './nearest.ts';
import { isSecret, secret, type Secret } from './secret.ts';

type Path = readonly (string | number)[];

export interface NumberLimits {
  readonly min?: number | undefined;
  readonly max?: number | undefined;
}

export class ConfigReader {
  readonly #what: string;
  readonly #path: Path;
  readonly #issues: ConfigIssue[];
  readonly #object: Readonly<Record<string, unknown>>;
  readonly #known = new Set<string>();
  readonly #children: ConfigReader[] = [];

  /** `what` is whose configuration this is ("s3"), for messages. */
  constructor(what: string, input: unknown, parent?: { path: Path; issues: ConfigIssue[] }) {
    this.#what = what;
    this.#path = parent?.path ?? [];
    this.#issues = parent?.issues ?? [];
    if (isObject(input)) {
      this.#object = input;
      return;
    }
    this.#object = {};
    const name = this.#path.at(-1) ?? what;
    this.#issues.push({
      path: this.#path,
      message: `${name} must be a map of keys, not ${show(input)}`,
    });
  }

  /** A non-empty text. */
  string(key: string): string | undefined {
    const value = this.#take(key);
    if (value === undefined) return undefined;
    if (typeof value === 'string' && value !== '') return value;
    if (typeof value === 'string') return this.#wrong(key, 'is empty');
    const quote = typeof value === 'number' || typeof value === 'boolean';
    return this.#wrong(
      key,
      `must be text, not ${kindOf(value)}${quote ? ': put it in quotes' : ''}`,
    );
  }

  /** A non-empty text that must be there. '' stands for one that is not: `finish` then throws. */
  requiredString(key: string): string {
    if (this.#object[key] === undefined) this.issue(key, 'is missing');
    return this.string(key) ?? '';
  }

  /** Without the line breaks that variables and files have around it. */
  secret(key: string): Secret | undefined {
    const value = this.#object[key];
    if (isSecret(value)) {
      this.#known.add(key);
      return value;
    }
    const text = this.string(key)?.replaceAll(/^\s*[\r\n]+|[\r\n]+\s*$/g, '');
    if (text === undefined) return undefined;
    return text === '' ? this.#wrong(key, 'is empty') : secret(text);
  }

  /**
   * A secret that is given as it is, or as the path of a file that holds it: blanks around it are not
   * part of it. `key` is where it came from, for issues.
   */
  secretOrFile(key: string, fileKey: string): { secret: Secret; key: string } | undefined {
    this.exclusive(key, fileKey);
    const given = this.secret(key);
    const file = this.string(fileKey);
    if (file === undefined) return given && { secret: given, key };
    try {
      return { secret: secret(readFileSync(file, 'utf8').trim()), key: fileKey };
    } catch (error) {
      return this.#wrong(fileKey, `cannot be read: ${messageOf(error)}`);
    }
  }

  boolean(key: string): boolean | undefined {
    const value = this.#take(key);
    if (value === undefined || typeof value === 'boolean') return value;
    if (value === 'true' || value === 'false') return value === 'true';
    return this.#wrong(key, `must be true or false, not ${show(value)}`);
  }

  integer(key: string, limits: NumberLimits = {}): number | undefined {
    const value = this.#take(key);
    if (value === undefined) return undefined;
    const number = typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value;
    if (typeof number !== 'number' || !Number.isSafeInteger(number)) {
      return this.#wrong(key, `must be a whole number, not ${show(value)}`);
    }
    return this.#within(key, number, limits, '');
  }

  /** Milliseconds, from a duration such as `5m`. */
  durationMs(key: string, limits: NumberLimits = {}): number | undefined {
    const value = this.#take(key);
    if (value === undefined) return undefined;
    const ms = parseDuration(value === 0 ? '0' : typeof value === 'string' ? value : '');
    if (ms !== undefined) return this.#within(key, ms, limits, ' ms');
    return this.#wrong(key, `must be a duration such as 1s, 5m or 24h, not ${show(value)}`);
  }

  /** Bytes, from a number or a size such as `10MB` or `10MiB`. */
  sizeBytes(key: string, limits: NumberLimits = {}): number | undefined {
    const value = this.#take(key);
    if (value === undefined) return undefined;
    const text = typeof value === 'number' ? String(value) : typeof value === 'string' ? value : '';
    const bytes = parseBytes(text);
    if (bytes !== undefined) return this.#within(key, bytes, limits, ' bytes');
    return this.#wrong(key, `must be a size such as 10MiB, not ${show(value)}`);
  }

  oneOf<Value extends string>(key: string, values: readonly Value[]): Value | undefined {
    const value = this.#take(key);
    if (value === undefined) return undefined;
    const found = values.find((candidate) => candidate === value);
    if (found !== undefined) return found;
    const meant = typeof value === 'string' ? nearest(value, values) : undefined;
    const hint = meant === undefined ? `one of ${values.join(', ')}` : `did you mean ${meant}?`;
    return this.#wrong(key, `is ${show(value)}: ${hint}`);
  }

  /** A list of non-empty texts. */
  strings(key: string): readonly string[] | undefined {
    const value = this.#take(key);
    if (value === undefined) return undefined;
    const texts = Array.isArray(value) ? (value as readonly unknown[]) : undefined;
    if (texts?.every((text) => typeof text === 'string' && text !== '') === true) {
      return texts as readonly string[];
    }
    return this.#wrong(key, 'must be a list of texts');
  }

  /** A nested object: its issues are ours, and our `finish` looks at its keys too. */
  object(key: string): ConfigReader | undefined {
    const value = this.#take(key);
    if (value === undefined) return undefined;
    const path = [...this.#path, key];
    const child = new ConfigReader(this.#what, value, { path, issues: this.#issues });
    this.#children.push(child);
    return child;
  }

  /** Whether the key was given, be it right or wrong. */
  has(key: string): boolean {
    return this.#object[key] !== undefined && this.#object[key] !== null;
  }

  /** Keys that are known, and read by someone else. */
  ignore(...keys: readonly string[]): void {
    for (const key of keys) this.#known.add(key);
  }

  /** At most one of these may be given. */
  exclusive(...keys: readonly string[]): void {
    this.ignore(...keys);
    const given = keys.filter((key) => this.has(key));
    if (given.length > 1) this.issue(given[1] ?? '', `cannot be given together with ${given[0]}`);
  }

  /** Each of these is given, or none: a key without its secret. */
  together(...keys: readonly string[]): void {
    this.ignore(...keys);
    const given = keys.filter((key) => this.has(key));
    if (given.length === 0) return;
    for (const key of keys) if (!this.has(key)) this.issue(key, `is missing beside ${given[0]}`);
  }

  /** Adds a problem of the backend's own finding. */
  issue(key: string, message: string): void {
    const path = [...this.#path, key];
    this.#issues.push({ path, message: `${path.join('.')} ${message}` });
  }

  /** CONFIG_INVALID with every issue found, in the order of asking, unknown keys last. */
  finish(): void {
    this.#collectUnknown();
    if (this.#issues.length === 0) return;
    const lines = this.#issues.map((issue) => issue.message).join('; ');
    throw new ReplicationError(
      'CONFIG_INVALID',
      `read the configuration of ${this.#what}: ${lines}`,
      {
        issues: this.#issues,
      },
    );
  }

  #take(key: string): unknown {
    this.#known.add(key);
    return this.#object[key] ?? undefined; // YAML's null is a key without a value
  }

  #wrong(key: string, message: string): undefined {
    this.issue(key, message);
    return undefined;
  }

  #within(key: string, value: number, limits: NumberLimits, unit: string): number | undefined {
    const { min = 0, max = Number.MAX_SAFE_INTEGER } = limits;
    if (value < min) return this.#wrong(key, `is ${value}${unit}: the least is ${min}`);
    if (value > max) return this.#wrong(key, `is ${value}${unit}: the most is ${max}`);
    return value;
  }

  #collectUnknown(): void {
    for (const key of Object.keys(this.#object)) {
      if (this.#known.has(key)) continue;
      const meant = nearest(key, this.#known);
      const hint = meant === undefined ? '' : `: did you mean ${meant}?`;
      this.issue(key, `is not a key of ${this.#path.at(-1) ?? this.#what}${hint}`);
    }
    for (const child of this.#children) child.#collectUnknown();
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'a map' : `a ${typeof value}`;
}

/** A value that is shown is a number, a boolean or a short text: a secret is never asked for so. */
function show(value: unknown): string {
  if (typeof value === 'string') return value.length <= SHOWN_MAX ? `"${value}"` : 'a long text';
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : kindOf(value);
}

/** Longer texts are no number or duration that someone mistyped. */
const SHOWN_MAX = 60;
