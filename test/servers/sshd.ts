/**
 * OpenSSH's sshd, where it is installed (test/support/require.ts), on a free port and with keys of
 * its own: unprivileged, with or without OpenSSH's extensions, or as root in a chroot.
 */

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import fs from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { needTool } from '../support/require.ts';
import type { SFTPServer } from './sftp.ts';
import { startProcess } from './process.ts';

/** Debian's user that owns nothing. */
const NOBODY = { name: 'nobody', uid: 65_534 } as const;
/** Asks that are answered as an old server would. */
const OPENSSH_ONLY = 'posix-rename,fsync,hardlink,statvfs,fstatvfs,lsetstat,limits,copy-data';

export interface SshdOptions {
  readonly as: 'root-in-a-chroot' | 'unprivileged';
  readonly extensions: 'all' | 'none';
}

export async function startSshd({ as, extensions }: SshdOptions): Promise<SFTPServer> {
  const isRoot = process.getuid?.() === 0;
  const isOther = isRoot && as === 'unprivileged';
  const user = isOther ? NOBODY.name : userInfo().username;
  const keys = {
    host: ssh2.utils.generateKeyPairSync('ed25519'),
    client: ssh2.utils.generateKeyPairSync('ed25519'),
  };
  // sshd wants a chroot's parents to be root's alone, as /tmp is not.
  const files = await mkdtemp(
    as === 'unprivileged' ? join(tmpdir(), 'sluice-sftp-') : '/run/sluice-sftp-',
  );
  const data = join(files, 'data');
  const keyPath = join(files, 'client-key');
  const chroot = as === 'unprivileged' ? '' : files;
  if (as === 'root-in-a-chroot') await mkdir('/run/sshd', { recursive: true, mode: 0o755 });
  await mkdir(data);
  await writeFile(keyPath, keys.client.private, { mode: 0o600 });
  const refused = extensions === 'none' ? ` -P ${OPENSSH_ONLY}` : '';
  const owner = isOther ? NOBODY.uid : undefined;

  const { port, stop } = await startProcess({
    name: 'sshd',
    binary: needTool('sshd'),
    arguments: (_port, folder) => ['-D', '-e', '-f', join(folder, 'sshd.conf'), '-p', `${_port}`],
    uid: owner,
    async prepare(folder) {
      await writeFile(join(folder, 'host-key'), keys.host.private, { mode: 0o600 });
      await writeFile(join(folder, 'authorized-keys'), `${keys.client.public}\n`);
      const lines = [
        'ListenAddress 127.0.0.1',
        `HostKey ${join(folder, 'host-key')}`,
        `PidFile ${join(folder, 'sshd.pid')}`,
        `AuthorizedKeysFile ${join(folder, 'authorized-keys')}`,
        'StrictModes no',
        // Without PAM it wants to read the shadow file, and takes an account for locked if it cannot.
        `UsePAM ${as === 'unprivileged' ? 'yes' : 'no'}`,
        'PermitRootLogin yes',
        'MaxStartups 100',
        `Subsystem sftp internal-sftp${refused}`,
        ...(chroot === ''
          ? []
          : [`ForceCommand internal-sftp${refused}`, `ChrootDirectory ${chroot}`]),
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
      fs.chmodSync(files, 0o755); // its client's key stays ours
    },
  });
  const address = { type: 'sftp', host: `127.0.0.1:${port}`, user, 'host-key': keys.host.public };
  const other = join(files, 'other-key');
  await writeFile(other, ssh2.utils.generateKeyPairSync('ed25519').private, { mode: 0o600 });
  return {
    input: { ...address, 'key-path': keyPath },
    denied: { ...address, 'key-path': other },
    keyPath,
    root: chroot === '' ? data : '/data',
    onDisk: (path) => chroot + path,
    port,
    async stop() {
      await stop();
      await rm(files, { recursive: true, force: true });
    },
  };
}
