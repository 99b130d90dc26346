/** The commands for the keys of encrypted backups. Litestream has none of them. */

import { WORKS } from '../support.ts';
import { flag, type Command } from './command.ts';
import { OURS, OWN_FLAGS, REPLICA } from './common-flags.ts';

export const KEYS: readonly Command[] = [
  {
    name: 'rekey',
    usage: 'rekey [flags] DB_PATH',
    help: 'encrypt every file of the encrypted destinations again, for the recipients of the configuration; stop the replicator first',
    knownBy: 'ours',
    support: WORKS,
    flags: [...OWN_FLAGS, { ...REPLICA, knownBy: 'ours' }],
    examples: ['sluice rekey /data/app.db', 'sluice rekey -replica offsite /data/app.db'],
  },
  {
    name: 'decrypt',
    usage: 'decrypt [flags] DB_PATH|URL',
    help: 'copy an encrypted backup to another place, decrypted, where Litestream can read it too',
    knownBy: 'ours',
    support: WORKS,
    flags: [
      ...OWN_FLAGS,
      { ...REPLICA, knownBy: 'ours' },
      flag('to', 'where to: an empty path', { value: 'URL', ...OURS }),
    ],
    examples: [
      'sluice decrypt -to file:///mnt/plain/app.db /data/app.db',
      'SLUICE_AGE_IDENTITY_FILE=key.txt sluice decrypt -to file:///mnt/plain s3://bucket/app.db',
    ],
  },
];
