/**
 * Expands variables in a configuration.
 *
 *  $NAME  ${NAME}       the value of the variable; empty if it is not set, as in Litestream
 *  ${NAME:-default}     `default` if the variable is not set or empty; the default may contain variables
 *  ${NAME-default}      `default` if the variable is not set
 *  $PID                 the ID of this process
 *  $$                   a dollar sign
 *
 * Other forms of a shell (`${NAME:?…}`, or an unclosed brace) are refused, because they are probably not meant
 * literally. Variables are replaced by marks before the YAML is parsed, and expanded afterwards. So a value may
 * contain `#`, `: ` or quotes, cannot change the structure, and line numbers stay correct. If a variable is not
 * set, `<name>_FILE` may name a file with its value.
 *
 * Messages must not show parts of secrets: a password `pa$word` contains the unset variable `$word`.
 */

import { messageOf, ReplicationError } from '@sluice/core/backend';
import { readTextFile } from '../read-file.ts';
import type { Environment } from '../shell.ts';
import { FILE_SUFFIX } from '../surface/environment.ts';

/** `$$`, `$NAME`, or `${NAME` followed by `}`, `-` or `:-`. */
const START = /\$(?:\$|\{([A-Za-z_]\w*)(\}|:?-)?|([A-Za-z_]\w*))/g;
/** Private-use characters, which have no meaning in YAML. */
const MARK = /\uE000(\d+)\uE001/g;
/** Maximum nesting of defaults. */
const DEPTH_MAX = 8;

interface MarkedText {
  readonly text: string;
  /** Indexed by the marks in `text`. */
  readonly variables: readonly Variable[];
  /** The variables as written. */
  readonly written: readonly string[];
}

type Variable =
  | {
      readonly name: string;
      readonly default: MarkedText | undefined;
      readonly defaultsFor: 'unset' | 'unset or empty';
    }
  | 'dollar'
  | 'unsupported';

function mark(text: string, depth: number): MarkedText {
  const variables: Variable[] = [];
  const written: string[] = [];
  let marked = '';
  let done = 0;
  for (const match of text.matchAll(START)) {
    if (match.index < done) continue; // inside a default
    const { variable, end } = readVariable(text, match, depth);
    marked += `${text.slice(done, match.index)}\uE000${variables.length}\uE001`;
    variables.push(variable);
    written.push(text.slice(match.index, end));
    done = end;
  }
  return { text: marked + text.slice(done), variables, written };
}

function readVariable(
  text: string,
  { 0: start, 1: braced, 2: operator, 3: plain, index }: RegExpExecArray,
  depth: number,
): { readonly variable: Variable; readonly end: number } {
  const behind = index + start.length;
  if (start === '$$') return { variable: 'dollar', end: behind };
  const name = braced ?? plain ?? '';
  if (plain !== undefined || operator === '}') {
    return { variable: { name, default: undefined, defaultsFor: 'unset' }, end: behind };
  }
  const end = endOf(text, behind);
  if (operator === undefined || end === undefined || depth === DEPTH_MAX) {
    const last = end ?? behind; // without a closing brace, keep the text after it, including quotes
    return { variable: 'unsupported', end: last };
  }
  return {
    variable: {
      name,
      default: mark(text.slice(behind, end - 1), depth + 1),
      defaultsFor: operator === ':-' ? 'unset or empty' : 'unset',
    },
    end,
  };
}

/** The offset after the brace on the same line that closes the one opened before `from`. */
function endOf(text: string, from: number): number | undefined {
  let depth = 1;
  for (let at = from; at < text.length && text[at] !== '\n'; at += 1) {
    if (text.startsWith('${', at)) depth += 1;
    if (text[at] === '}') depth -= 1;
    if (depth === 0) return at + 1;
  }
  return undefined;
}

/** Replaces the marks by values. CONFIG_INVALID for unsupported forms. */
function fillIn(
  { text, variables }: MarkedText,
  environment: Environment,
  onUnset: (name: string) => void,
): string {
  return text.replaceAll(MARK, (_, index: string) => {
    const variable = variables[Number(index)];
    if (variable === undefined) return '';
    if (variable === 'dollar') return '$';
    if (variable === 'unsupported') throw unsupportedError();
    const { name } = variable;
    if (name === 'PID') return String(process.pid);
    const value = valueOf(name, environment);
    const isDefault =
      value === undefined || (value === '' && variable.defaultsFor === 'unset or empty');
    if (isDefault && variable.default !== undefined) {
      return fillIn(variable.default, environment, onUnset);
    }
    if (value === undefined) onUnset(name);
    return value ?? '';
  });
}

function unsupportedError(): ReplicationError {
  return new ReplicationError(
    'CONFIG_INVALID',
    '"${" starts an unsupported form of variable: write $NAME, ${NAME}, ${NAME:-default} or ' +
      '${NAME-default}, $$ for a dollar sign, or turn variables off with -no-expand-env',
  );
}

interface Unset {
  readonly name: string;
  readonly line: number;
  /** The nearest enclosing key. */
  readonly key: string;
}

export interface UnsetNote {
  readonly line: number;
  readonly note: string;
}

/** The variables of one file. Records the unset ones. */
export class VariablesOfFile {
  readonly #marked: MarkedText;
  readonly #source: string;
  readonly #environment: Environment;
  readonly #unset: Unset[] = [];

  constructor(text: string, source: string, mode: 'expand' | 'leave', environment: Environment) {
    this.#marked = mode === 'expand' ? mark(text, 0) : { text, variables: [], written: [] };
    this.#source = source;
    this.#environment = environment;
  }

  get markedText(): string {
    return this.#marked.text;
  }

  /** `text`, which contains marks, with its variables as they were written. */
  unmark(text: string): string {
    return text.replaceAll(MARK, (_, index: string) => this.#marked.written[Number(index)] ?? '');
  }

  /** Whether `text` contains a mark for a value that is not in the file. */
  hasVariable(text: string): boolean {
    return [...text.matchAll(MARK)].some(([, index]) => {
      const variable = this.#marked.variables[Number(index)];
      return typeof variable === 'object' && variable.default === undefined;
    });
  }

  /** CONFIG_INVALID, with the line, for unsupported forms. */
  fillIn(text: string, at: { readonly line: number; readonly key: string }): string {
    try {
      return fillIn({ ...this.#marked, text }, this.#environment, (name) =>
        this.#unset.push({ name, ...at }),
      );
    } catch (error) {
      const key = at.key === '' ? '' : `${at.key}: `;
      const message = `${this.#source}:${at.line}: ${key}${messageOf(error)}`;
      throw new ReplicationError('CONFIG_INVALID', message, { cause: error });
    }
  }

  /** Notes about unset variables. The name is shown only for public keys: elsewhere it may be part of a secret. */
  unset(publicKeys: ReadonlySet<string>): UnsetNote[] {
    return this.#unset.map(({ name, line, key }) => {
      const what = publicKeys.has(key) ? `$${name}` : `a variable of ${key}`;
      const next = publicKeys.has(key) ? '' : ' (write $$ for a dollar sign)';
      return { line, note: `${what} is not set and is replaced by an empty text${next}` };
    });
  }
}

/** CONFIG_INVALID if the file of `<name>_FILE` cannot be read. */
export function valueOf(name: string, environment: Environment): string | undefined {
  const value = environment[name];
  if (value !== undefined) return value;
  const file = environment[`${name}${FILE_SUFFIX}`];
  return file === undefined ? undefined : readSecretFile(file, `${name}${FILE_SUFFIX}`);
}

/** The content of the file, without the trailing line break. `key` is the key or variable that names it. */
export function readSecretFile(file: string, key: string): string {
  try {
    return readTextFile(file).replace(/\r?\n$/, '');
  } catch (error) {
    const message = `read ${file} (${key}): ${messageOf(error)}; check the path and its permissions`;
    throw new ReplicationError('CONFIG_INVALID', message, { cause: error });
  }
}
