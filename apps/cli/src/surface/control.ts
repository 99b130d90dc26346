/** Commands for a running replicator, which listens in the staging folder of each of its databases. */

import { refused, WORKS } from '../support.ts';
import { flag, type Command, type Flag } from './command.ts';
import { CONFIG, JSON_FLAG, NO_EXPAND, OURS, OWN_FLAGS } from './common-flags.ts';

const SOCKET = flag('socket', 'path of the control socket', {
  value: 'PATH',
  knownBy: '0.5',
  support: refused(
    'the socket is found by the configuration',
    'give the configuration of the replicator with -config, or name its database',
  ),
});

const timeout = (what: string): Flag =>
  flag('timeout', `${what}: a duration, or a number of seconds`, { value: 'D', knownBy: '0.5' });

const COMMON: readonly Flag[] = [
  { ...CONFIG, knownBy: 'ours' },
  { ...NO_EXPAND, knownBy: 'ours' },
  JSON_FLAG,
];
const DRY_RUN = flag('dry-run', 'say what would be done, and do nothing', OURS);

export const CONTROL: readonly Command[] = [
  {
    name: 'list',
    usage: 'list [flags] [DB]',
    help: 'list the databases of the running replicator, also those that are stopped',
    knownBy: '0.5',
    support: WORKS,
    flags: [...COMMON, timeout('longest wait; default 10s'), SOCKET],
    argumentsMax: 1,
  },
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
  {
    name: 'reload',
    usage: 'reload [flags]',
    help: 'have the running replicator read its configuration again, and apply what has changed',
    knownBy: 'ours',
    support: WORKS,
    flags: [...OWN_FLAGS, DRY_RUN],
    argumentsMax: 0,
    examples: ['sluice reload -dry-run', 'sluice reload'],
  },
  {
    name: 'stop',
    usage: 'stop [flags] DB',
    help: 'a last sync of a database; then it is not replicated until sluice start, or a restart of the replicator',
    knownBy: '0.5',
    support: WORKS,
    flags: [
      ...COMMON,
      timeout('like shutdown-sync-timeout, for this database; default 30s'),
      DRY_RUN,
      SOCKET,
    ],
    argumentsMax: 1,
    examples: ['sluice stop /data/app.db'],
  },
  {
    name: 'start',
    usage: 'start [flags] DB',
    help: 'replicate a stopped database again',
    knownBy: '0.5',
    support: WORKS,
    flags: [...COMMON, timeout('longest wait; default 30s'), SOCKET],
    argumentsMax: 1,
    examples: ['sluice start /data/app.db'],
  },
  {
    name: 'register',
    usage: 'register [flags] DB',
    help: 'add a database to the running replicator: to -replica, or as the configuration file has it now',
    knownBy: '0.5',
    support: WORKS,
    flags: [
      ...COMMON,
      flag('replica', 'URL of a destination; may be repeated', { value: 'URL', knownBy: '0.5' }),
      timeout('longest wait; default 30s'),
      DRY_RUN,
      SOCKET,
    ],
    argumentsMax: 1,
    examples: ['sluice register -replica s3://bucket/new.db /data/new.db'],
  },
  {
    name: 'unregister',
    usage: 'unregister [flags] DB',
    help: 'a last sync of a database, and its removal from the running replicator; its replicas stay',
    knownBy: '0.5',
    support: WORKS,
    flags: [
      ...COMMON,
      timeout('like shutdown-sync-timeout, for this database; default 30s'),
      { ...DRY_RUN, knownBy: '0.5' },
      SOCKET,
    ],
    argumentsMax: 1,
    examples: ['sluice unregister -dry-run /data/new.db', 'sluice unregister /data/new.db'],
  },
  {
    name: 'snapshot',
    usage: 'snapshot [flags] [DB]',
    help: 'have the running replicator make a full snapshot, and send it to every destination',
    knownBy: 'ours',
    support: WORKS,
    flags: [...OWN_FLAGS, { ...timeout('longest wait; default 10s'), knownBy: 'ours' }],
    argumentsMax: 1,
    examples: ['sluice snapshot', 'sluice snapshot /data/app.db'],
  },
  {
    name: 'reset',
    usage: 'reset [flags] DB',
    help: 'forget what is staged for a database, after a last sync, so that a full snapshot follows',
    knownBy: '0.5',
    support: WORKS,
    flags: [
      ...COMMON,
      { ...timeout('longest wait; default 30s'), knownBy: 'ours' },
      flag('force', 'also if files are staged that a destination does not have', OURS),
      { ...DRY_RUN, knownBy: '0.5' },
    ],
    argumentsMax: 1,
    examples: ['sluice reset -dry-run /data/app.db', 'sluice reset /data/app.db'],
  },
];
