/** Parses the flags of drill: those of restore, and its own. Pure. */

import type { DrillTarget } from '@sluice/core';
import { usageError, type Arguments } from '../args.ts';
import { readFlags, type RestoreFlags } from '../restoring/flags.ts';

export interface DrillFlags {
  readonly target: DrillTarget;
  readonly integrityCheck: RestoreFlags['integrityCheck'];
  readonly assertions: readonly string[];
}

/** CONFIG_INVALID for an invalid value. */
export function readDrillFlags(args: Arguments): DrillFlags {
  const { target, integrityCheck } = readFlags(args, new Date());
  return {
    target: readAt(args) === 'random' ? { kind: 'random' } : target,
    integrityCheck: args.text('integrity-check') === undefined ? 'quick' : integrityCheck,
    assertions: args.texts('assert'),
  };
}

function readAt(args: Arguments): 'latest' | 'random' | undefined {
  const at = args.text('at');
  if (at === undefined) return undefined;
  if (at !== 'latest' && at !== 'random') {
    throw usageError(args.command, `-at is latest or random, not "${at}"; a time is -timestamp`);
  }
  for (const flag of ['txid', 'timestamp']) {
    if (args.text(flag) === undefined) continue;
    throw usageError(args.command, `-at and -${flag} cannot be used together`);
  }
  return at;
}
