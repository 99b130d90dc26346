/** The command that refills destinations from each other. Litestream does not have it. */

import { WORKS } from '../support.ts';
import { flag, type Command } from './command.ts';
import { LEVEL, OURS, OWN_FLAGS, RUNNING } from './common-flags.ts';

export const REPAIR: Command = {
  name: 'repair',
  usage: 'repair [flags] [DB_PATH…]',
  help: 'find what each destination lacks of what it promises, and copy it from one that has it',
  knownBy: 'ours',
  support: WORKS,
  flags: [
    ...OWN_FLAGS,
    flag('dry-run', 'say what would be copied, and write nothing', OURS),
    {
      ...flag(
        'read-data',
        'read and verify whole files, not only their ends; with N/T only the Nth of T parts of them',
        OURS,
      ),
      kind: 'optional',
      value: 'N/T',
    },
    RUNNING,
    { ...LEVEL, knownBy: 'ours' },
  ],
  examples: [
    'sluice repair -dry-run',
    'sluice repair /data/app.db',
    'sluice repair -read-data=3/7 /data/app.db',
    'sluice repair -running -dry-run',
  ],
};
