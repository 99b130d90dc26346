/** Reads one map of the configuration against the table of keys. */

import { nearest, parseBytes, parseDuration, type ConfigIssue } from '@sluice/core/backend';
import { keysOf, type Scope } from './keys.ts';

type Path = readonly (string | number)[];

export class ScopeReader {
  readonly #path: Path;
  readonly #map: Readonly<Record<string, unknown>>;
  readonly #issues: ConfigIssue[];

  /** Adds an issue for every key that is refused, or unknown; `others` are somebody else's. */
  constructor(
    scope: Scope,
    input: unknown,
    path: Path,
    issues: ConfigIssue[],
    others: readonly string[],
  ) {
    this.#path = path;
    this.#issues = issues;
    this.#map = isMap(input) ? input : {};
    if (!isMap(input)) this.issue([], `${describe(path)} must be a map of keys`);
    const rows = keysOf(scope);
    for (const key of Object.keys(this.#map)) {
      const under = rows.filter((row) => row.name === key || row.name.startsWith(`${key}.`));
      if (under.length === 0 && !others.includes(key))
        this.#unknown(key, [...rows.map((row) => row.name), ...others]);
      for (const row of under)
        this.#check(
          row.name,
          row.refused,
          under.map(({ name }) => name),
        );
    }
  }

  value(name: string): unknown {
    let at: unknown = this.#map;
    for (const part of name.split('.')) at = isMap(at) ? at[part] : undefined;
    return at ?? undefined;
  }

  text(name: string): string | undefined {
    const value = this.value(name);
    if (value === undefined || typeof value === 'string') return value;
    this.issue(name.split('.'), `${name} must be text, not ${JSON.stringify(value)}`);
    return undefined;
  }

  number(name: string, least: number): number | undefined {
    const value = this.value(name);
    if (value === undefined) return undefined;
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least) return value;
    this.issue(
      name.split('.'),
      `${name} must be a whole number from ${least}, not ${JSON.stringify(value)}`,
    );
    return undefined;
  }

  durationMs(name: string, leastMs: number): number | undefined {
    const value = this.value(name);
    if (value === undefined) return undefined;
    const ms = parseDuration(value === 0 ? '0' : String(value));
    if (ms !== undefined && ms >= leastMs) return ms;
    const least = leastMs > 0 ? `, at least ${leastMs}ms` : '';
    this.issue(
      name.split('.'),
      `${name} must be a duration such as 1s, 5m or 24h${least}, not ${JSON.stringify(value)}`,
    );
    return undefined;
  }

  sizeBytes(name: string): number | undefined {
    const value = this.value(name);
    if (value === undefined) return undefined;
    const bytes = parseBytes(String(value));
    if (bytes !== undefined) return bytes;
    this.issue(
      name.split('.'),
      `${name} must be a size such as 512MiB, not ${JSON.stringify(value)}`,
    );
    return undefined;
  }

  boolean(name: string): boolean | undefined {
    const value = this.value(name);
    if (value === undefined || typeof value === 'boolean') return value;
    if (value === 'true' || value === 'false') return value === 'true';
    this.issue(name.split('.'), `${name} must be true or false, not ${JSON.stringify(value)}`);
    return undefined;
  }

  oneOf<Value extends string>(name: string, values: readonly Value[]): Value | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const found = values.find((candidate) => candidate === text.toLowerCase());
    if (found === undefined)
      this.issue(name.split('.'), `${name} is "${text}": one of ${values.join(', ')}`);
    return found;
  }

  issue(below: Path, message: string): void {
    this.#issues.push({ path: [...this.#path, ...below], message });
  }

  #check(name: string, refused: string | undefined, siblings: readonly string[]): void {
    const [first = '', second] = name.split('.');
    if (second !== undefined && isMap(this.#map[first])) {
      for (const key of Object.keys(this.#map[first])) {
        if (!siblings.includes(`${first}.${key}`)) this.#unknown(`${first}.${key}`, siblings);
      }
    }
    if (refused === undefined || this.value(name) === undefined) return;
    const already = this.#issues.some(
      (issue) => issue.path.join('.') === [...this.#path, ...name.split('.')].join('.'),
    );
    if (!already) this.issue(name.split('.'), `${name}: ${refused}`);
  }

  #unknown(name: string, known: readonly string[]): void {
    const path = [...this.#path, ...name.split('.')].join('.');
    if (this.#issues.some((issue) => issue.path.join('.') === path)) return;
    const meant = nearest(name, known);
    this.issue(
      name.split('.'),
      `unknown key ${name}${meant === undefined ? '' : `: did you mean ${meant}?`}`,
    );
  }
}

export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function describe(path: Path): string {
  return path.length === 0 ? 'the configuration' : path.join('.');
}
