/** Commands of Litestream that Sluice refuses, with what to use instead. */

import type { Command } from './command.ts';
import { refused, type KnownBy, type Support } from '../support.ts';

export const REFUSED_COMMANDS: readonly Command[] = [
  gone(
    'snapshots',
    '0.3',
    refused(
      'snapshots are LTX files of level 9',
      'use "sluice ltx -level 9", or "sluice generations" for a backup of Litestream 0.3',
    ),
    'list snapshots',
  ),
];

function gone(name: string, knownBy: KnownBy, support: Support, help: string): Command {
  return { name, usage: name, help, knownBy, support, flags: [] };
}
