/**
 * Variables in a configuration.
 *
 *  $NAME  ${NAME}       its value; one that is not set stands for nothing, as in Litestream
 *  ${NAME:-default}     `default` where it is not set, or empty; the default may hold variables itself
 *  ${NAME-default}      `default` where it is not set
 *  $PID                 our process
 *  $$                   a dollar sign
 *
 * Other forms of a shell (`${NAME:?…}`, or without an end) are refused: nobody means them to stay as they
 * are. Variables are marked before YAML is read and filled in after it: a value with `#`, `: ` or quotes in
 * it stays one value, and lines keep their numbers. A variable stands for a text, never for structure. Of a
 * variable that is not set, `<name>_FILE` may name a file that holds its value.
 *
 * No message shows what may be a part of a secret: a password `pa$word` must not make `$word` appear.
 */

import { messageOf, ReplicationError } from '@sluice/core/backend';
import { readTextFile } from '../read-file.ts';
import type { Environment } from '../shell.ts';
import { FILE_SUFFIX } from '../surface/environment.ts';

/** `$$`, or `${NAME` with what decides about its end, or `$NAME`. */
const START = /\$(?:\$|\{([A-Za-z_]\w*)(\}|:?-)?|([A-Za-z_]\w*))/g;
/** Private use: they stand in no configuration, and mean nothing to YAML. */
const MARK = /\uE000(\d+)\uE001/g;
/** A default in a default, and so on: nobody writes more. */
const DEPTH_MAX = 8;

interface MarkedText {
  readonly text: string;
  /** A mark holds an index of it. */
  readonly variables: readonly Variable[];
}

type Variable =
  | {
      readonly name: string;
      readonly default: MarkedText | undefined;
      readonly defaultsFor: 'unset' | 'unset or empty';
    }
  | 'dollar'
  | 'not understood';

function mark(text: string, depth: number): MarkedText {
  const variables: Variable[] = [];
  let marked = '';
  let done = 0;
  for (const match of text.matchAll(START)) {
    if (match.index < done) continue; // inside of a default
    const { variable, end } = readVariable(text, match, depth);
    marked += `${text.slice(done, match.index)}\uE000${variables.length}\uE001`;
    variables.push(variable);
    done = end;
  }
  return { text: marked + text.slice(done), variables };
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
    const last = end ?? behind; // what has no end must not hide the quotes behind it
    return { variable: 'not understood', end: last };
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

/** Behind the brace that closes what is open at `from`, on the same line. */
function endOf(text: string, from: number): number | undefined {
  let open = 1;
  for (let at = from; at < text.length && text[at] !== '\n'; at += 1) {
    if (text.startsWith('${', at)) open += 1;
    if (text[at] === '}') open -= 1;
    if (open === 0) return at + 1;
  }
  return undefined;
}

/** What a text with marks says. CONFIG_INVALID for what is not understood. */
function fillIn(
  { text, variables }: MarkedText,
  environment: Environment,
  onUnset: (name: string) => void,
): string {
  return text.replaceAll(MARK, (_, index: string) => {
    const variable = variables[Number(index)];
    if (variable === undefined) return '';
    if (variable === 'dollar') return '$';
    if (variable === 'not understood') throw notUnderstood();
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

function notUnderstood(): ReplicationError {
  return new ReplicationError(
    'CONFIG_INVALID',
    '"${" begins a form of variable that is not understood: write $NAME, ${NAME}, ${NAME:-default} or ' +
      '${NAME-default}, $$ for a dollar sign, or turn variables off with -no-expand-env',
  );
}

interface Unset {
  readonly name: string;
  readonly line: number;
  /** The nearest key above it. */
  readonly key: string;
}

/** The variables of one file: marked, then filled in, with those that stand for nothing. */
export class VariablesOfFile {
  readonly #marked: MarkedText;
  readonly #source: string;
  readonly #environment: Environment;
  readonly #unset: Unset[] = [];

  constructor(text: string, source: string, mode: 'expand' | 'leave', environment: Environment) {
    this.#marked = mode === 'expand' ? mark(text, 0) : { text, variables: [] };
    this.#source = source;
    this.#environment = environment;
  }

  get markedText(): string {
    return this.#marked.text;
  }

  /** CONFIG_INVALID with the line. */
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

  /** What to say of variables that are not set. Only at an `open` key is the name no part of a secret. */
  notes(open: ReadonlySet<string>): string[] {
    return this.#unset.map(({ name, line, key }) => {
      const what = open.has(key) ? `$${name}` : `a variable of ${key}`;
      const next = open.has(key) ? '' : ' (a dollar sign is written $$)';
      return `${this.#source}:${line}: ${what} is not set, and stands for nothing${next}`;
    });
  }
}

/** CONFIG_INVALID where the file of `<name>_FILE` cannot be read. */
export function valueOf(name: string, environment: Environment): string | undefined {
  const value = environment[name];
  if (value !== undefined) return value;
  const file = environment[`${name}${FILE_SUFFIX}`];
  return file === undefined ? undefined : readSecretFile(file, `${name}${FILE_SUFFIX}`);
}

/** What is in the file, without the line break that editors put at the end. */
export function readSecretFile(file: string, why: string): string {
  try {
    return readTextFile(file).replace(/\r?\n$/, '');
  } catch (error) {
    const message = `read ${file}, which ${why} names: ${messageOf(error)}`;
    throw new ReplicationError('CONFIG_INVALID', message, { cause: error });
  }
}
