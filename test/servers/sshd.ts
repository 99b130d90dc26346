/**
 * OpenSSH's sshd, if it is installed (test/support/require.ts), on a free port and with its own keys: as
 * an unprivileged user, as root in a chroot, or as the current user, with or without OpenSSH's extensions.
 */

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import fs from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { makeKeys } from '../../packages/sftp/test/keys.ts';
import { needTool } from '../support/require.ts';
import type { SFTPServer } from './sftp.ts';
import { startProcess } from './process.ts';

/** Debian's unprivileged user. */
const NOBODY = { name: 'nobody', uid: 65_534 } as const;
/** Requests that are refused, to imitate a server without these extensions. */
const REFUSED = {
  all: '',
  'statvfs-only': 'posix-rename,fsync,hardlink,lsetstat,limits,copy-data',
  none: 'posix-rename,fsync,hardlink,statvfs,fstatvfs,lsetstat,limits,copy-data',
} as const;

const REMOVAL_TRIES_MAX = 20;

export interface SshdOptions {
  readonly as: 'root-in-a-chroot' | 'unprivileged' | 'own-user';
  readonly extensions: keyof typeof REFUSED;
  /** Logs all requests for `requests()`. Only for 'own-user', whose shell can run a program. */
  readonly log?: 'requests';
}

export interface Sshd extends SFTPServer {
  /** Requests since the start: "fsync", "open", … */
  requests(): readonly string[];
  /** Number of files that were opened to be written since the start. */
  openedToWrite(): number;
}

export async function startSshd({ as, extensions, log }: SshdOptions): Promise<Sshd> {
  const isRoot = process.getuid?.() === 0;
  const isOther = isRoot && as === 'unprivileged';
  const user = isOther ? NOBODY.name : userInfo().username;
  const keys = {
    host: makeKeys(),
    client: makeKeys(),
  };
  // sshd requires that only root can write to the parents of a chroot, unlike /tmp.
  const files = await mkdtemp(
    as === 'root-in-a-chroot' ? '/run/sluice-sftp-' : join(tmpdir(), 'sluice-sftp-'),
  );
  const data = join(files, 'data');
  const keyPath = join(files, 'client-key');
  const chroot = as === 'root-in-a-chroot' ? files : '';
  if (isRoot) await mkdir('/run/sshd', { recursive: true, mode: 0o755 });
  await mkdir(data);
  await writeFile(keyPath, keys.client.private, { mode: 0o600 });
  const requestLog = join(files, 'requests');
  const refused = extensions === 'all' ? '' : ` -P ${REFUSED[extensions]}`;
  const sftp =
    log === undefined
      ? `internal-sftp${refused}`
      : `/usr/lib/openssh/sftp-server -e -l DEBUG3${refused} 2>>${requestLog}`;
  const owner = isOther ? NOBODY.uid : undefined;

  const { port, stop } = await startProcess({
    name: 'sshd',
    binary: needTool('sshd'),
    arguments: (_port, folder) => ['-D', '-e', '-f', join(folder, 'sshd.conf'), '-p', `${_port}`],
    uid: owner,
    async prepare(folder) {
      await writeFile(join(folder, 'host-key'), keys.host.private, { mode: 0o600 });
      await writeFile(join(folder, 'authorized-keys'), `restrict ${keys.client.public}\n`);
      const lines = [
        'ListenAddress 127.0.0.1',
        `HostKey ${join(folder, 'host-key')}`,
        `PidFile ${join(folder, 'sshd.pid')}`,
        `AuthorizedKeysFile ${join(folder, 'authorized-keys')}`,
        'StrictModes no',
        // Without PAM, sshd treats an account as locked if it cannot read the shadow file.
        `UsePAM ${isRoot && !isOther ? 'no' : 'yes'}`,
        'PermitRootLogin yes',
        'MaxStartups 100',
        `Subsystem sftp ${sftp}`,
        ...(chroot === '' ? [] : [`ForceCommand ${sftp}`, `ChrootDirectory ${chroot}`]),
      ];
      await writeFile(join(folder, 'sshd.conf'), `${lines.join('\n')}\n`);
      if (owner === undefined) return;
      for (const path of [
        folder,
        data,
        ...fs.readdirSync(folder).map((name) => join(folder, name)),
      ]) {
        fs.chownSync(path, owner, owner);
      }
      fs.chmodSync(files, 0o755); // the client key stays readable only by this process
    },
  });
  const address = { type: 'sftp', host: `127.0.0.1:${port}`, user, 'host-key': keys.host.public };
  const other = join(files, 'other-key');
  await writeFile(other, makeKeys().private, { mode: 0o600 });
  return {
    input: { ...address, 'key-path': keyPath },
    denied: { ...address, 'key-path': other },
    keyPath,
    root: chroot === '' ? data : '/data',
    onDisk: (path) => chroot + path,
    port,
    requests() {
      const lines = fs.readFileSync(requestLog, 'utf8').split('\n');
      return lines.flatMap((line) => /request \d+: (?!sent )([a-z-]+)/.exec(line)?.[1] ?? []);
    },
    openedToWrite: () => fs.readFileSync(requestLog, 'utf8').split(/ flags WRITE\b/).length - 1,
    async stop() {
      await stop();
      // A session may outlive the server by a moment, and still write its log.
      await rm(files, { recursive: true, force: true, maxRetries: REMOVAL_TRIES_MAX });
    },
  };
}
