/** sluice init */

import { flag, type Command } from './command.ts';
import { OURS } from './common-flags.ts';
import { WORKS } from '../support.ts';

export const INIT: Command = {
  name: 'init',
  usage: 'init [flags] [DB URL [URL…]]',
  help: 'write a first configuration, and files for systemd or containers; without arguments it asks on a terminal',
  knownBy: 'ours',
  support: WORKS,
  flags: [
    flag('o', 'output file; default sluice.yml; other files are written beside it', {
      value: 'PATH',
      ...OURS,
    }),
    flag('systemd', 'also write sluice.service, a unit of systemd', OURS),
    flag('compose', 'also write sluice.compose.yml, for Docker Compose', OURS),
    flag('k8s', 'also write sluice.k8s.yaml, manifests of Kubernetes', OURS),
    flag('kamal', 'also write sluice.kamal.yml, an accessory of Kamal', OURS),
    flag(
      'user',
      'user that owns the database, for these files: a name, UID or UID:GID; default: the owner of the file',
      { value: 'USER', ...OURS },
    ),
    flag('image', 'image of Sluice, for containers; default sluice:VERSION', {
      value: 'IMAGE',
      ...OURS,
    }),
    flag('force', 'replace files that exist', OURS),
    flag('json', 'print JSON', OURS),
  ],
  examples: [
    'sluice init',
    'sluice init /data/app.db s3://bucket/app.db file:///mnt/backup/app.db',
    'sluice init -systemd -o /etc/sluice.yml /data/app.db s3://bucket/app.db',
  ],
};
