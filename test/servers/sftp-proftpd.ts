/** ProFTPD's mod_sftp, if it is installed: password login, no useful extensions, and status code 11. */

import fs from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeKeys } from '../../packages/sftp/test/keys.ts';
import { needTool } from '../support/require.ts';
import { startProcess } from './process.ts';
import { SFTP_PASSWORD, type SFTPServer } from './sftp.ts';

const BINARY = '/usr/sbin/proftpd';
/** Debian's unprivileged user. */
const NOBODY = 65_534;
const USER = 'backup';
/** crypt(3) hash of SFTP_PASSWORD: `openssl passwd -6 -salt sluicetest`. */
const PASSWORD_HASH =
  '$6$sluicetest$w1NNf4xDc/dRPjAq9LZsNeAJnfIdYqpXxJle5Ot0MNPcqhdxx7ip5TLFPal7cgWg1hqVeZugqhx9b.nlTdWBk.';

export async function startProftpd(): Promise<SFTPServer> {
  const keys = makeKeys();
  const isRoot = process.getuid?.() === 0;
  const uid = isRoot ? NOBODY : (process.getuid?.() ?? NOBODY);
  const modules = dirname(needTool('proftpd'));
  const { port, folder, stop } = await startProcess({
    name: 'proftpd',
    binary: BINARY,
    arguments: (_port, at) => ['-n', '-q', '-c', join(at, 'proftpd.conf')],
    async prepare(at, freePort) {
      const data = join(at, 'data');
      await mkdir(data);
      await writeFile(join(at, 'host-key'), keys.private, { mode: 0o600 });
      const account = `${USER}:${PASSWORD_HASH}:${uid}:${uid}::${data}:/bin/false\n`;
      await writeFile(join(at, 'passwd'), account, { mode: 0o600 });
      const lines = [
        `ModulePath ${modules}`,
        'LoadModule mod_sftp.c',
        'ServerType standalone',
        'UseIPv6 off',
        'DefaultAddress 127.0.0.1',
        `Port ${freePort}`,
        `PidFile ${join(at, 'proftpd.pid')}`,
        `ScoreboardFile ${join(at, 'scoreboard')}`,
        'SystemLog none',
        'WtmpLog off',
        'UseReverseDNS off',
        'MaxInstances 50',
        ...(isRoot ? ['User nobody', 'Group nogroup'] : []),
        'AuthOrder mod_auth_file.c',
        `AuthUserFile ${join(at, 'passwd')}`,
        'RequireValidShell off',
        'AllowOverwrite on',
        'AllowStoreRestart on',
        'SFTPEngine on',
        `SFTPHostKey ${join(at, 'host-key')}`,
        'SFTPAuthMethods password',
        'SFTPLog none',
      ];
      await writeFile(join(at, 'proftpd.conf'), `${lines.join('\n')}\n`);
      if (!isRoot) return;
      fs.chmodSync(at, 0o755);
      fs.chownSync(data, uid, uid);
    },
  });
  const address = { type: 'sftp', host: `127.0.0.1:${port}`, user: USER, 'host-key': keys.public };
  return {
    input: { ...address, password: SFTP_PASSWORD },
    denied: { ...address, password: 'not-the-password' },
    root: join(folder, 'data'),
    onDisk: (path) => path,
    port,
    stop,
  };
}
