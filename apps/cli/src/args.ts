/**
 * Arguments in Go's manner, as Litestream's scripts write them: flags with one dash or two, with
 * `=` or a space before their value, before or after the other arguments. What they mean is
 * node:util's to say; here they only get their second dash.
 */

import { parseArgs } from 'node:util';
import { nearest, ReplicationError } from '@sluice/core/backend';
import type { Command, Flag } from './flags.ts';

export interface Arguments {
  readonly positionals: readonly string[];
  text(name: string): string | undefined;
  has(name: string): boolean;
}

const HELP: Flag = { name: 'help', kind: 'switch', help: 'print this' };

/** CONFIG_INVALID for an unknown or refused flag, or one that lacks its value. */
export function parseArguments(command: Command, args: readonly string[]): Arguments {
  const flags = [...command.flags, HELP];
  const canonical = args.map((argument) => canonicalize(argument, command, flags));
  const options = Object.fromEntries(
    flags.map(({ name, kind }) => [
      name,
      { type: kind === 'text' ? ('string' as const) : ('boolean' as const) },
    ]),
  );
  try {
    const { values, positionals } = parseArgs({
      args: canonical.filter((argument) => argument !== undefined),
      options,
      allowPositionals: true,
      allowNegative: true,
    });
    return {
      positionals,
      text: (name) => {
        const value = values[name];
        return typeof value === 'string' ? value : undefined;
      },
      has: (name) => values[name] === true,
    };
  } catch (error) {
    const message = error instanceof Error ? error.message.split('.')[0] : String(error);
    throw usageError(command, message ?? 'wrong arguments');
  }
}

function canonicalize(
  argument: string,
  command: Command,
  flags: readonly Flag[],
): string | undefined {
  const match = /^--?([a-zA-Z][a-zA-Z0-9-]*)(=.*)?$/s.exec(argument);
  if (match === null) return argument;
  const [, written = '', value = ''] = match;
  const name = written === 'h' ? 'help' : written;
  const flag = flags.find((candidate) => candidate.name === name);
  if (flag === undefined) {
    const meant = nearest(
      name,
      flags.map((candidate) => candidate.name),
    );
    const hint =
      meant === undefined ? `see "sluice ${command.name} -help"` : `did you mean -${meant}?`;
    throw usageError(command, `unknown flag -${name}: ${hint}`);
  }
  if (flag.refused !== undefined) throw usageError(command, `-${name} ${flag.refused}`);
  if (flag.kind === 'text' || value === '') return `--${name}${value}`;
  if (/^=(1|t|true)$/i.test(value)) return `--${name}`;
  if (/^=(0|f|false)$/i.test(value)) return undefined;
  throw usageError(command, `-${name} is a switch: true or false, not "${value.slice(1)}"`);
}

export function usageError(command: Command, message: string): ReplicationError {
  return new ReplicationError('CONFIG_INVALID', `sluice ${command.name}: ${message}`);
}
