/**
 * `$VAR` and `${VAR}` in a configuration.
 *
 * They are marked before YAML is read and filled in after it: a value with `#`, `: ` or quotes in
 * it stays one value, and lines keep their numbers. A variable stands for a text, never for
 * structure. As in Litestream, one that is not set stands for nothing, and $PID for our process.
 * Of a variable that is not set, `<name>_FILE` may name a file that holds its value.
 */

import fs from 'node:fs';
import { messageOf, ReplicationError } from '@sluice/core/backend';
import type { Environment } from '../shell.ts';
import { FILE_SUFFIX } from '../surface/environment.ts';

const VARIABLE = /\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))/g;
/** Private use: they stand in no configuration, and mean nothing to YAML. */
const MARK = /\uE000(\d+)\uE001/g;

export interface MarkedText {
  readonly text: string;
  /** Names of variables; a mark holds an index of it. */
  readonly names: readonly string[];
}

export function markVariables(text: string): MarkedText {
  const names: string[] = [];
  const marked = text.replaceAll(VARIABLE, (_, braced?: string, plain?: string) => {
    names.push(braced ?? plain ?? '');
    return `\uE000${names.length - 1}\uE001`;
  });
  return { text: marked, names };
}

/** What a text with marks says. `onUnset` is told of variables that stand for nothing. */
export function fillIn(
  text: string,
  names: readonly string[],
  environment: Environment,
  onUnset: (name: string) => void,
): string {
  return text.replaceAll(MARK, (_, index: string) => {
    const name = names[Number(index)] ?? '';
    if (name === 'PID') return String(process.pid);
    const value = valueOf(name, environment);
    if (value === undefined) onUnset(name);
    return value ?? '';
  });
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
    return fs.readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    const message = `read ${file}, which ${why} names: ${messageOf(error)}`;
    throw new ReplicationError('CONFIG_INVALID', message, { cause: error });
  }
}
