/** The commands that show and prove what can be restored. Litestream has none of them. */

import { WORKS } from '../support.ts';
import { flag, type Command } from './command.ts';
import { COST } from './cost.ts';
import { LEVEL, OURS, OWN_FLAGS, REPLICA } from './common-flags.ts';

export const PROOFS: readonly Command[] = [
  COST,
  {
    name: 'history',
    usage: 'history [flags] DB_PATH|URL',
    help: 'show what can be restored from each destination: moments, snapshots, resolution and gaps',
    knownBy: 'ours',
    support: WORKS,
    flags: [
      ...OWN_FLAGS,
      { ...REPLICA, knownBy: 'ours' },
      flag('since', 'begin with the state at this time, and list the single moments', {
        value: 'TIME',
        ...OURS,
      }),
      flag('until', 'end with the state at this time, and list the single moments', {
        value: 'TIME',
        ...OURS,
      }),
      flag('limit', 'list at most this many moments, newest first; default 100', {
        value: 'N',
        ...OURS,
      }),
    ],
    examples: [
      'sluice history /data/app.db',
      'sluice history -since "yesterday 14:00" -until "yesterday 14:10" /data/app.db',
    ],
  },
  {
    name: 'drill',
    usage: 'drill [flags] [DB_PATH|URL…]',
    help: 'prove that every destination, alone, can be restored: restore it to a scratch folder and check the result',
    knownBy: 'ours',
    support: WORKS,
    flags: [
      ...OWN_FLAGS,
      { ...REPLICA, knownBy: 'ours' },
      flag('at', 'restore the newest state (latest) or any other (random); default latest', {
        value: 'WHICH',
        ...OURS,
      }),
      flag('txid', 'restore the state at this TXID', { value: 'HEX16', ...OURS }),
      flag('timestamp', 'restore the state at this time', { value: 'TIME', ...OURS }),
      flag('integrity-check', 'run SQLite’s own check: none, quick or full; default quick', {
        value: 'MODE',
        ...OURS,
      }),
      flag('assert', 'a query whose first value must not be NULL, 0 or empty; can be repeated', {
        value: 'SQL',
        ...OURS,
      }),
      flag('tmp', 'folder for the restored copy; default: the temporary folder of the system', {
        value: 'FOLDER',
        ...OURS,
      }),
      { ...LEVEL, knownBy: 'ours' },
    ],
    examples: [
      'sluice drill',
      'sluice drill -at random -assert "SELECT count(*) FROM orders" /data/app.db',
      'sluice drill -tmp /mnt/scratch -integrity-check full s3://bucket/app.db',
    ],
  },
];
