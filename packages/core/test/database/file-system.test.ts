import { expect, test } from 'vitest';
import { findMount, parseMounts } from '../../src/database/sqlite/file-system.ts';

const MOUNTS = parseMounts(
  [
    '22 1 259:1 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p1 rw',
    '30 22 0:26 / /mnt/pool rw,relatime shared:7 master:2 - fuse.mergerfs a:b rw',
    '31 30 0:27 / /mnt/pool/with\\040space rw - nfs4 host:/x rw',
    '32 22 0:28 / /mnt rw - tmpfs tmpfs rw',
    '33 32 0:29 / /mnt/pool rw - xfs /dev/sdb rw',
    'not a mount',
    '',
  ].join('\n'),
);

test.each([
  ['/var/lib/app.db', '/', 'ext4'],
  ['/mnt/poolside/app.db', '/mnt', 'tmpfs'],
  ['/mnt/pool', '/mnt/pool', 'xfs'],
  ['/mnt/pool/a/app.db', '/mnt/pool', 'xfs'],
  ['/mnt/pool/with space/app.db', '/mnt/pool/with space', 'nfs4'],
])('%s is on the mount %s', (file, point, type) => {
  expect(findMount(file, MOUNTS)).toEqual({ point, type });
});

test('no mount is found in an empty list', () => {
  expect(findMount('/a', parseMounts(''))).toBeUndefined();
});
