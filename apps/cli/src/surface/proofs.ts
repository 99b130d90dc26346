/** The commands that show and prove what can be restored. Litestream has none of them. */

import { WORKS } from '../support.ts';
import { flag, type Command, type Flag } from './command.ts';
import { LEVEL, OURS, OWN_FLAGS, REPLICA, RUNNING } from './common-flags.ts';

const given = (name: string, help: string, value: string): Flag =>
  flag(name, help, { value, ...OURS });

const COST: Command = {
  name: 'cost',
  usage: 'cost [flags] DB_PATH|URL',
  help: 'forecast requests, bytes and money per month for each destination',
  knownBy: 'ours',
  support: WORKS,
  flags: [
    ...OWN_FLAGS,
    { ...REPLICA, knownBy: 'ours' },
    given('commits-per-hour', 'rate of commits; default: from the files at the destination', 'N'),
    given(
      'bytes-per-commit',
      'size of a level-0 file with one commit; default: as observed',
      'SIZE',
    ),
    given(
      'database-bytes',
      'size of a full snapshot; default: that of the newest one, or of the database file',
      'SIZE',
    ),
    given('hot-bytes', 'part of the database that commits change; default: all of it', 'SIZE'),
    given('restores-per-month', 'restores and drills over the network; default 0', 'N'),
    given('sync-interval', 'instead of the configured one', 'TIME'),
    given(
      'levels',
      'intervals of merged files, such as 30s,5m,1h, instead of the configured ones',
      'TIMES',
    ),
    given('snapshot-interval', 'instead of the configured one', 'TIME'),
    given('retention', 'instead of the configured one', 'TIME'),
    given('l0-retention', 'instead of the configured one', 'TIME'),
    given(
      'provider',
      'aws-s3, cloudflare-r2, backblaze-b2, wasabi, hetzner, gcs or azure; default: by the endpoint',
      'NAME',
    ),
    given(
      'prices',
      'prices in USD: storage and egress for a GB, put, get, list and delete for 1,000 requests',
      'LIST',
    ),
  ],
  examples: [
    'sluice cost /data/app.db',
    'sluice cost -commits-per-hour 3600 -bytes-per-commit 4KiB -database-bytes 1GiB s3://bucket/app.db',
    'sluice cost -prices storage=0.02,put=0.005 /data/app.db',
  ],
};

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
      RUNNING,
      { ...LEVEL, knownBy: 'ours' },
    ],
    examples: [
      'sluice drill',
      'sluice drill -at random -assert "SELECT count(*) FROM orders" /data/app.db',
      'sluice drill -tmp /mnt/scratch -integrity-check full s3://bucket/app.db',
      'sluice drill -running -replica s3 /data/app.db',
    ],
  },
];
