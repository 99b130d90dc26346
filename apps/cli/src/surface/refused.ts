/** Commands of Litestream that Sluice refuses, with what to use instead. */

import type { Command } from './command.ts';
import { notYet, refused, type KnownBy, type Support } from '../support.ts';

const SOCKET = notYet(
  'a running replicator accepts only the commands sync and info',
  'change the configuration and restart it',
);
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
  gone(
    'reset',
    '0.5',
    notYet(
      'no command clears the local state',
      'stop the replicator and remove its staging folder (.<name>-sluice): the next start takes a full snapshot',
    ),
    'clear local state',
  ),
  gone('start', '0.5', SOCKET, 'start to replicate a database'),
  gone('stop', '0.5', SOCKET, 'stop replicating a database'),
  gone('register', '0.5', SOCKET, 'add a database'),
  gone('unregister', '0.5', SOCKET, 'remove a database'),
  gone(
    'list',
    '0.5',
    notYet('a running replicator does not list its databases alone', 'use "sluice info"'),
    'list the databases of a replicator',
  ),
];

function gone(name: string, knownBy: KnownBy, support: Support, help: string): Command {
  return { name, usage: name, help, knownBy, support, flags: [] };
}
