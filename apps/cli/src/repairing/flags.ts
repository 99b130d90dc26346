/** Parses the flags of repair. Pure. */

import type { RepairOptions } from '@sluice/core';
import { usageError, type Arguments } from '../args.ts';

export interface RepairFlags {
  readonly mode: RepairOptions['mode'];
  readonly read: RepairOptions['read'];
}

/** With more parts each of them would have hardly any files. */
const PARTS_MAX = 10_000;

/** CONFIG_INVALID for an invalid value. */
export function readRepairFlags(args: Arguments): RepairFlags {
  return { mode: args.has('dry-run') ? 'dry-run' : 'mend', read: readPart(args) };
}

function readPart(args: Arguments): RepairFlags['read'] {
  const text = args.text('read-data');
  if (text === undefined) return args.has('read-data') ? 'all' : 'ends';
  const [, number = 0, count = 0] = (/^([0-9]{1,5})\/([0-9]{1,5})$/.exec(text) ?? []).map(Number);
  if (number >= 1 && number <= count && count <= PARTS_MAX) return { number, count };
  const hint = `as in -read-data=3/7, with at most ${PARTS_MAX} parts`;
  throw usageError(args.command, `-read-data is a part and their number, ${hint}, not "${text}"`);
}
