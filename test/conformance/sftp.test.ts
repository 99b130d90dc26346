/**
 * The SFTP backend over OpenSSH, with and without its extensions and as root, and over ProFTPD. Not
 * over `rclone serve sftp` (1.76): it keeps no access time, in which we note when a file was
 * uploaded; a reader sees parts of two files where one replaces the other; of many files that are
 * written to one folder some are not found again. Some of that it does now and then only, so that
 * it cannot be listed as a deviation.
 */

import type { ReplicaClient } from '@sluice/core/backend';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { backend } from '@sluice/sftp';
import { SFTP_PASSWORD, type SFTPServer } from '../servers/sftp.ts';
import { startProftpd } from '../servers/sftp-proftpd.ts';
import { startSshd } from '../servers/sshd.ts';
import { describeWith, type Tool } from '../support/require.ts';
import { relayed } from './relays.ts';
import { describeConformance, type Setup } from './suite.ts';
import { parseConfig } from '@sluice/core/backend';

const SERVERS: readonly (readonly [string, Tool, () => Promise<SFTPServer>])[] = [
  ['OpenSSH', 'sshd', () => startSshd({ as: 'unprivileged', extensions: 'all' })],
  ['OpenSSH, no extensions', 'sshd', () => startSshd({ as: 'unprivileged', extensions: 'none' })],
  ['OpenSSH, root', 'sshd', () => startSshd({ as: 'root-in-a-chroot', extensions: 'all' })],
  ['ProFTPD', 'proftpd', startProftpd],
];

for (const [name, tool, start] of SERVERS) {
  describeWith([tool], `sftp, ${name}`, () => {
    describeConformance({
      name: `sftp, ${name}`,
      layout: 'tree',
      capabilities: {
        ranges: true,
        conditions: 'any-size',
        deleteMax: 1_000,
        sortedLists: true,
        folders: true,
      },
      hooks: ['raw', 'vanish', 'denied', 'unreachable', 'silent', 'cuttable', 'handles'],
      // Not a part, but what is asked for in one request at most.
      partSizeBytes: 253 * 1024,
      secrets: [SFTP_PASSWORD, 'not-the-password', 'PRIVATE KEY'],
      open: async () => setUp(await start()),
    });
  });
}

function setUp(server: SFTPServer): Setup {
  const { root, onDisk } = server;
  let paths = 0;
  const connect = async (
    input: Readonly<Record<string, unknown>>,
    access: 'read' | 'write' = 'write',
  ): Promise<ReplicaClient> =>
    await backend.connect(parseConfig(backend, input).config, { access, logger: console });
  return {
    connect: (access) => connect(server.input, access),
    newPath: () => `${root}/replica-${(paths += 1)}`,
    raw: {
      async put(key, bytes) {
        await mkdir(dirname(onDisk(key)), { recursive: true });
        await writeFile(onDisk(key), bytes);
      },
      async keys(prefix) {
        const entries = await readdir(onDisk(root), { recursive: true, withFileTypes: true });
        const files = entries.filter((entry) => entry.isFile());
        const keys = files.map((entry) => join(entry.parentPath, entry.name));
        const strip = onDisk(root).length - root.length;
        return keys.map((key) => key.slice(strip)).filter((key) => key.startsWith(prefix));
      },
    },
    /** As an unmounted disk looks: the folder is there, and empty. */
    async vanish(path) {
      await rename(onDisk(path), `${onDisk(path)}-elsewhere`);
      await mkdir(onDisk(path));
      return async () => {
        await rm(onDisk(path), { recursive: true });
        await rename(`${onDisk(path)}-elsewhere`, onDisk(path));
      };
    },
    denied: () => connect(server.denied),
    // No SSH listens there.
    unreachable: () => connect({ ...server.input, host: '127.0.0.1:1' }),
    handles: async () => (await readdir('/proc/self/fd')).length,
    ...relayed(
      `127.0.0.1:${server.port}`,
      (host) => connect({ ...server.input, host }),
      () => server.stop(),
    ),
  };
}
