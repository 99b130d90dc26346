/** Commands for a running replicator, which listens in the staging folder of each of its databases. */

import { refused, WORKS } from '../support.ts';
import { flag, type Command, type Flag } from './command.ts';
import { CONFIG, JSON_FLAG, NO_EXPAND, OURS, OWN_FLAGS } from './common-flags.ts';

const SOCKET = flag('socket', 'path of the control socket', {
  value: 'PATH',
  knownBy: '0.5',
  support: refused(
    'the socket is in the staging folder of the database',
    'name the database, or its configuration with -config',
  ),
});

const timeout = (what: string): Flag =>
  flag('timeout', `${what}: a duration, or a number of seconds`, { value: 'D', knownBy: '0.5' });

export const CONTROL: readonly Command[] = [
  {
    name: 'sync',
    usage: 'sync [flags] [DB]',
    help: 'tell the running replicator to send everything committed, and wait until it is durable',
    knownBy: '0.5',
    support: WORKS,
    flags: [
      { ...CONFIG, knownBy: 'ours' },
      { ...NO_EXPAND, knownBy: 'ours' },
      flag('wait', 'wait until every destination has it', { knownBy: '0.5' }),
      flag('durable', 'wait until so many destinations have it: all, any, or a number', {
        value: 'N',
        ...OURS,
      }),
      timeout('longest wait; default 30s'),
      JSON_FLAG,
      SOCKET,
    ],
    argumentsMax: 1,
    examples: [
      'sluice sync /data/app.db',
      'sluice sync -wait -timeout 1m /data/app.db',
      'sluice sync -durable any /data/app.db',
    ],
  },
  {
    name: 'reseed',
    usage: 'reseed [flags] NAME [DB]',
    help: 'send a full snapshot to a folder that has lost its files for good; it is not mounted otherwise',
    knownBy: 'ours',
    support: WORKS,
    flags: OWN_FLAGS,
    argumentsMax: 2,
    examples: ['sluice reseed mirror', 'sluice reseed mirror /data/app.db'],
  },
  {
    name: 'info',
    usage: 'info [flags] [DB]',
    help: 'describe the running replicator: version, process, databases',
    knownBy: '0.5',
    support: WORKS,
    flags: [
      { ...CONFIG, knownBy: 'ours' },
      { ...NO_EXPAND, knownBy: 'ours' },
      timeout('longest wait; default 10s'),
      JSON_FLAG,
      SOCKET,
    ],
    argumentsMax: 1,
  },
];
