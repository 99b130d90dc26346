/**
 * Parses arguments like Go's flag package, so that scripts written for Litestream work:
 *
 *  -flag  --flag  -flag=value  -flag value     a text flag needs a value, which may start with a dash
 *  -switch  -switch=true  -switch=false        a switch takes no other value, and none after a space
 *  -optional  -optional=value                  both: without a value it is a switch
 *  --                                          the words after it are not flags
 *
 * Unlike in Go, flags may follow other arguments. If a flag is repeated, the last one counts, unless the
 * command reads all of them.
 */

import { nearest } from '@sluice/core/config';
import { ReplicationError } from '@sluice/core/backend';
import type { Command, Flag } from './surface/command.ts';
import { refusalOf } from './support.ts';

export interface Arguments {
  readonly command: Command;
  readonly positionals: readonly string[];
  text(name: string): string | undefined;
  /** Every value of a flag that may be repeated, in order. */
  texts(name: string): readonly string[];
  has(name: string): boolean;
}

/** CONFIG_INVALID for an unknown or refused flag, a missing value, or too many arguments. */
export function parseArguments(command: Command, words: readonly string[]): Arguments {
  const texts = new Map<string, string[]>();
  const switches = new Map<string, 'on' | 'off'>();
  const positionals: string[] = [];
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? '';
    if (word === '--') {
      positionals.push(...words.slice(index + 1));
      break;
    }
    const written = /^--?([a-zA-Z][a-zA-Z0-9-]*)(?:=(.*))?$/s.exec(word);
    if (written === null) {
      positionals.push(word);
      continue;
    }
    const [, name = '', value] = written;
    if (/^(h|help)$/.test(name)) {
      switches.set('help', 'on');
      continue;
    }
    const flag = findFlag(command, name);
    if (flag.kind === 'switch' || (flag.kind === 'optional' && value === undefined)) {
      switches.set(name, toSwitch(command, name, value ?? 'true'));
      continue;
    }
    const text = value ?? words[(index += 1)];
    if (text === undefined) throw usageError(command, `-${name} needs a value`);
    if (text === '') throw usageError(command, `-${name} is empty: is a variable unset?`);
    texts.set(name, [...(texts.get(name) ?? []), text]);
  }
  const { argumentsMax = Infinity } = command;
  const extra = positionals[argumentsMax];
  if (extra !== undefined) {
    const count = ['no arguments', '1 argument'][argumentsMax] ?? `${argumentsMax} arguments`;
    throw usageError(command, `it takes ${count}: remove "${extra}"`);
  }
  return {
    command,
    positionals,
    text: (name) => texts.get(name)?.at(-1),
    texts: (name) => texts.get(name) ?? [],
    has: (name) => switches.get(name) === 'on',
  };
}

function findFlag(command: Command, name: string): Flag {
  const flag = command.flags.find((candidate) => candidate.name === name);
  if (flag === undefined) {
    const known = command.flags.filter(({ support }) => support.kind !== 'refused');
    const suggestion = nearest(
      name,
      known.map((candidate) => candidate.name),
    );
    const hint =
      suggestion === undefined
        ? `see "sluice ${command.name} -help"`
        : `did you mean -${suggestion}?`;
    throw usageError(command, `unknown flag -${name}: ${hint}`);
  }
  if (flag.support.kind === 'refused') {
    throw usageError(command, `-${name}: ${refusalOf(flag.support)}`);
  }
  return flag;
}

/** Accepts the same words as Go. */
function toSwitch(command: Command, name: string, value: string): 'on' | 'off' {
  if (/^(1|t|true)$/i.test(value)) return 'on';
  if (/^(0|f|false)$/i.test(value)) return 'off';
  throw usageError(command, `-${name} is a switch: true or false, not "${value}"`);
}

export function usageError(command: Command, message: string): ReplicationError {
  return new ReplicationError('CONFIG_INVALID', `sluice ${command.name}: ${message}`);
}
