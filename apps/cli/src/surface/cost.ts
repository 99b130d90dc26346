/** The command that forecasts the cost of backups. Litestream has none. */

import { WORKS } from '../support.ts';
import { flag, type Command, type Flag } from './command.ts';
import { OURS, OWN_FLAGS, REPLICA } from './common-flags.ts';

const given = (name: string, help: string, value: string): Flag =>
  flag(name, help, { value, ...OURS });

export const COST: Command = {
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
