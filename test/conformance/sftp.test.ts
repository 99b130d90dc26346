/**
 * The SFTP backend with OpenSSH, with and without its extensions and as root, and with ProFTPD. Not with
 * `rclone serve sftp` (1.76): it does not store the access time, in which we keep the upload time; a
 * reader may see parts of two files while one replaces the other; and some of many files written to one
 * folder are lost. Some of these faults are intermittent and cannot be listed as deviations.
 */

import type { ReplicaClient } from '@sluice/core/backend';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { backend } from '@sluice/sftp';
import { SFTP_PASSWORD, type SFTPServer } from '../servers/sftp.ts';
import { startProftpd } from '../servers/sftp-proftpd.ts';
import { startSshd } from '../servers/sshd.ts';
import { describeInCI, describeWith, type Tool } from '../support/require.ts';
import { relayed } from './relays.ts';
import { describeConformance, type Setup } from './suite.ts';
import { parseConfig } from '@sluice/core/backend';

type Start = () => Promise<SFTPServer>;

/** Name, tool, whether it has copy-data, and how it is started. */
const SERVERS: readonly (readonly [string, Tool, boolean, Start])[] = [
  ['OpenSSH', 'sshd', true, () => startSshd({ as: 'unprivileged', extensions: 'all' })],
  [
    'OpenSSH, no extensions',
    'sshd',
    false,
    () => startSshd({ as: 'unprivileged', extensions: 'none' }),
  ],
  ['OpenSSH, root', 'sshd', true, () => startSshd({ as: 'root-in-a-chroot', extensions: 'all' })],
  ['ProFTPD', 'proftpd', false, startProftpd],
];

/** The copy fails with REPLICA_UNSUPPORTED, and Sluice sends the file instead. */
const NO_COPY_DATA: Readonly<Record<string, string>> = Object.fromEntries(
  ['gives-the-same-file', 'replaces-an-equal-name', 'of-nothing'].map((name) => [
    `copy/${name}`,
    'the server has no copy-data',
  ]),
);

for (const [index, [name, tool, hasCopyData, start]] of SERVERS.entries()) {
  // Each takes a minute.
  (index === 0 ? describeWith : describeInCI)([tool], `sftp, ${name}`, () => {
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
      // SFTP has no parts; this is the maximum size of one request.
      partSizeBytes: 253 * 1024,
      secrets: [SFTP_PASSWORD, 'not-the-password', 'PRIVATE KEY'],
      deviations: hasCopyData ? {} : NO_COPY_DATA,
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
    /** Like an unmounted disk: the folder exists and is empty. */
    async vanish(path) {
      await rename(onDisk(path), `${onDisk(path)}-elsewhere`);
      await mkdir(onDisk(path));
      return async () => {
        await rm(onDisk(path), { recursive: true });
        await rename(`${onDisk(path)}-elsewhere`, onDisk(path));
      };
    },
    denied: () => connect(server.denied),
    // No SSH server listens on this port.
    unreachable: () => connect({ ...server.input, host: '127.0.0.1:1' }),
    handles: async () => (await readdir('/proc/self/fd')).length,
    ...relayed(
      `127.0.0.1:${server.port}`,
      (host) => connect({ ...server.input, host }),
      () => server.stop(),
    ),
  };
}
