/** The command that makes a warm copy an ordinary database. Litestream has none. */

import { WORKS } from '../support.ts';
import { flag, type Command } from './command.ts';
import { OURS } from './common-flags.ts';

export const PROMOTE: Command = {
  name: 'promote',
  usage: 'promote [flags] PATH',
  help: 'make a warm copy, written by "restore -f", an ordinary database that applications can write to',
  knownBy: 'ours',
  support: WORKS,
  flags: [
    flag('integrity-check', 'run SQLite’s own check first: none, quick or full; default quick', {
      value: 'MODE',
      ...OURS,
    }),
    flag('json', 'print JSON', OURS),
  ],
  argumentsMax: 1,
  examples: ['sluice promote /data/copy.db'],
};
