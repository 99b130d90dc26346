import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { findUnmounted } from '../../src/store/folder/mount-points.ts';
import { temporaryFolder } from '../restore/temporary.ts';

const FSTAB = `# a comment /mnt/no
UUID=1234 / ext4 errors=remount-ro 0 1
UUID=5678 none swap sw 0 0
  /dev/sdb1\t/mnt/usb\text4 nofail 0 2
/dev/sdc1 /mnt/with\\040blank ext4 defaults 0 2
/dev/sdd1 /srv/ ext4 noauto 0 2
server:/x /mnt/usb/deep nfs defaults 0 0
`;

const line = (point: string): string =>
  `36 35 98:0 / ${point} rw,noatime shared:1 - ext4 /dev/x rw`;

async function unmounted(folder: string, ...mounted: string[]): Promise<string | undefined> {
  const at = temporaryFolder();
  const files = { fstab: path.join(at, 'fstab'), mountinfo: path.join(at, 'mountinfo') };
  fs.writeFileSync(files.fstab, FSTAB);
  fs.writeFileSync(files.mountinfo, ['/', ...mounted].map(line).join('\n'));
  return await findUnmounted(folder, files);
}

test('an unmounted mount point, and a folder below it, are detected', async () => {
  expect(await unmounted('/mnt/usb/backup/app')).toBe('/mnt/usb');
  expect(await unmounted('/mnt/usb')).toBe('/mnt/usb');
  expect(await unmounted('/srv/backup')).toBe('/srv');
});

test('an escaped name is compared in its decoded form', async () => {
  expect(await unmounted('/mnt/with blank/app')).toBe('/mnt/with blank');
  expect(await unmounted('/mnt/with blank/app', '/mnt/with\\040blank')).toBe(undefined);
});

test('a mounted folder, and a folder that is not a mount point, are not reported', async () => {
  expect(await unmounted('/mnt/usb/backup', '/mnt/usb')).toBe(undefined);
  expect(await unmounted('/mnt/other/backup')).toBe(undefined);
  expect(await unmounted('/mnt/usbstick')).toBe(undefined);
  expect(await unmounted('/mnt/no')).toBe(undefined);
  expect(await unmounted('/')).toBe(undefined);
});

test('a mount point below another one is checked separately', async () => {
  expect(await unmounted('/mnt/usb/deep/app', '/mnt/usb')).toBe('/mnt/usb/deep');
  expect(await unmounted('/mnt/usb/deep/app', '/mnt/usb', '/mnt/usb/deep')).toBe(undefined);
});

test('a symbolic link is followed, even if the rest of the path does not exist yet', async () => {
  const at = temporaryFolder();
  const files = { fstab: path.join(at, 'fstab'), mountinfo: path.join(at, 'mountinfo') };
  const disk = path.join(fs.realpathSync(at), 'disk');
  fs.mkdirSync(disk);
  fs.symlinkSync(disk, path.join(at, 'backup'));
  fs.writeFileSync(files.fstab, `/dev/sdb1 ${disk} ext4 nofail 0 2\n`);
  fs.writeFileSync(files.mountinfo, `${line('/')}\n`);
  expect(await findUnmounted(path.join(at, 'backup', 'app', 'db'), files)).toBe(disk);
  fs.appendFileSync(files.mountinfo, line(disk));
  expect(await findUnmounted(path.join(at, 'backup', 'app', 'db'), files)).toBe(undefined);
});

test('without one of the files nothing is reported', async () => {
  const at = temporaryFolder();
  const files = { fstab: path.join(at, 'fstab'), mountinfo: path.join(at, 'mountinfo') };
  expect(await findUnmounted('/mnt/usb', files)).toBe(undefined);
  fs.writeFileSync(files.fstab, FSTAB);
  expect(await findUnmounted('/mnt/usb', files)).toBe(undefined);
});
