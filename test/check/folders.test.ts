/** In folders, a check leaves neither files nor empty folders. */

import fs from 'node:fs';
import path from 'node:path';

import { expect, onTestFinished, test } from 'vitest';
import { startProftpd } from '../servers/sftp-proftpd.ts';
import type { SFTPServer } from '../servers/sftp.ts';
import { startSshd } from '../servers/sshd.ts';
import { describeWith, type Tool } from '../support/require.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { sluice } from './program.ts';

/** Checks the folder `app` in `onDisk`: first while it is missing, then with a file of the user in it. */
async function expectNothingLeft(onDisk: string, check: () => Promise<void>): Promise<void> {
  await check();
  expect(fs.readdirSync(onDisk)).toEqual([]);
  fs.mkdirSync(path.join(onDisk, 'app'), { mode: 0o777 });
  fs.chmodSync(path.join(onDisk, 'app'), 0o777); // the server may run as any user
  fs.writeFileSync(path.join(onDisk, 'app', 'notes.txt'), 'mine');
  await check();
  expect(fs.readdirSync(onDisk, { recursive: true })).toEqual(['app', 'app/notes.txt']);
}

async function checked(url: string): Promise<void> {
  const { code, stdout, stderr } = await sluice('check', '-json', url);
  expect([code, stderr]).toEqual([0, '']);
  expect(JSON.parse(stdout)).toMatchObject([{ left: [] }]);
}

test('a check leaves no files in a local folder', async () => {
  const folder = temporaryFolder('check');
  await expectNothingLeft(folder, () => checked(`file://${folder}/app`));
});

const SERVERS: readonly (readonly [string, Tool, () => Promise<SFTPServer>])[] = [
  ['OpenSSH', 'sshd', () => startSshd({ as: 'unprivileged', extensions: 'all' })],
  ['OpenSSH, no extensions', 'sshd', () => startSshd({ as: 'unprivileged', extensions: 'none' })],
  ['ProFTPD', 'proftpd', startProftpd],
];

for (const [name, tool, start] of SERVERS) {
  describeWith([tool], `sftp, ${name}`, () => {
    test('a check leaves no files in a folder of the server', async () => {
      const server = await start();
      onTestFinished(() => server.stop());
      const { host, type: _, ...input } = server.input as Readonly<Record<string, string>>;
      const query = new URLSearchParams(input).toString();
      const url = `sftp://${host}${server.root}/app?${query}`;
      await expectNothingLeft(server.onDisk(server.root), () => checked(url));
    });
  });
}
