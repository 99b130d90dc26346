/** Commands about Sluice itself: to set it up, and to ask for help. */

import { flag, type Command, type Flag } from './command.ts';
import { CONFIG, NO_EXPAND, OURS } from './common-flags.ts';
import { WORKS } from '../support.ts';

export const COMPLETION: Command = {
  name: 'completion',
  usage: 'completion bash|zsh|fish|powershell',
  help: 'print a completion script for a shell',
  knownBy: 'ours',
  support: WORKS,
  flags: [],
  argumentsMax: 1,
  examples: [
    'source <(sluice completion bash)',
    'sluice completion fish > ~/.config/fish/completions/sluice.fish',
  ],
};

export const VERSION: Command = {
  name: 'version',
  usage: 'version [flags]',
  help: 'print the version',
  knownBy: 'both',
  support: WORKS,
  flags: [
    flag(
      'verbose',
      'also print the versions of Node, SQLite and the packages, the platform, and how Sluice was installed',
      { knownBy: '0.5' },
    ),
    flag('json', 'print JSON', OURS),
  ],
  argumentsMax: 0,
};

export const DIAGNOSE: Command = {
  name: 'diagnose',
  usage: 'diagnose [flags]',
  help: 'print what helps to find the cause of a problem, without secrets: versions, configuration, files, status',
  knownBy: 'ours',
  support: WORKS,
  flags: [
    { ...CONFIG, knownBy: 'ours' },
    { ...NO_EXPAND, knownBy: 'ours' },
    flag('log', 'add the last 200 lines of this file', { value: 'PATH', ...OURS }),
    flag('o', 'write to this file, which must not exist', { value: 'PATH', ...OURS }),
  ],
  argumentsMax: 0,
  examples: ['sluice diagnose -o report.json', 'sluice diagnose -log /var/log/sluice.log'],
};

export const MCP: Command = {
  name: 'mcp',
  usage: 'mcp [flags]',
  help: 'serve tools that only read to an assistant, by the Model Context Protocol on stdin and stdout: status, history, plan of a restore, drill',
  knownBy: 'ours',
  support: WORKS,
  flags: [
    { ...CONFIG, knownBy: 'ours' },
    { ...NO_EXPAND, knownBy: 'ours' },
  ],
  argumentsMax: 0,
  examples: ['sluice mcp -config /etc/sluice.yml'],
};

/** Of `sluice status`. */
export const WATCH: Flag = {
  ...flag('watch', 'show it again and again, every 10 s or D; each time lists every destination', {
    value: 'D',
    ...OURS,
  }),
  kind: 'optional',
};

export const INIT: Command = {
  name: 'init',
  usage: 'init [flags] [DB|FOLDER URL [URL…]]',
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
