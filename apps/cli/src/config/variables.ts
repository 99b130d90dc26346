/**
 * Variables in a configuration.
 *
 *  $NAME  ${NAME}       its value; one that is not set stands for nothing, as in Litestream
 *  ${NAME:-default}     `default` where it is not set, or empty; the default may hold variables itself
 *  ${NAME-default}      `default` where it is not set
 *  $PID                 our process
 *
 * Other forms of a shell (`${NAME:?…}`, or without an end) are refused, because nobody means them to be taken
 * as they stand. They are marked before YAML is read and filled in after it: a value with `#`, `: ` or
 * quotes in it stays one value, and lines keep their numbers. A variable stands for a text, never for
 * structure. Of a variable that is not set, `<name>_FILE` may name a file that holds its value.
 */

import { messageOf, ReplicationError } from '@sluice/core/backend';
import { readTextFile } from '../read-file.ts';
import type { Environment } from '../shell.ts';
import { FILE_SUFFIX } from '../surface/environment.ts';

/** `${NAME` with what decides about its end, or `$NAME`. */
const START = /\$(?:\{([A-Za-z_]\w*)(\}|:?-)?|([A-Za-z_]\w*))/g;
/** Private use: they stand in no configuration, and mean nothing to YAML. */
const MARK = /\uE000(\d+)\uE001/g;
/** A default in a default, and so on: nobody writes more. */
const DEPTH_MAX = 8;

export interface MarkedText {
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
  /** As it was written. */
  | { readonly notUnderstood: string };

export function markVariables(text: string): MarkedText {
  return mark(text, 0);
}

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
  const name = braced ?? plain ?? '';
  if (plain !== undefined || operator === '}') {
    return { variable: { name, default: undefined, defaultsFor: 'unset' }, end: behind };
  }
  const end = endOf(text, behind);
  if (operator === undefined || end === undefined || depth === DEPTH_MAX) {
    const last = end ?? behind; // what has no end must not hide the quotes behind it
    return { variable: { notUnderstood: text.slice(index, last) }, end: last };
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

/**
 * What a text with marks says. `onUnset` is told of variables that stand for nothing. CONFIG_INVALID for
 * what is not understood.
 */
export function fillIn(
  { text, variables }: MarkedText,
  environment: Environment,
  onUnset: (name: string) => void,
): string {
  return text.replaceAll(MARK, (_, index: string) => {
    const variable = variables[Number(index)];
    if (variable === undefined) return '';
    if ('notUnderstood' in variable) throw notUnderstood(variable.notUnderstood);
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

function notUnderstood(written: string): ReplicationError {
  return new ReplicationError(
    'CONFIG_INVALID',
    `${written} is not understood: write $NAME, \${NAME}, \${NAME:-default} or \${NAME-default}, or turn variables off ` +
      'with -no-expand-env',
  );
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
