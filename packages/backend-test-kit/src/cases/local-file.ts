import { readFully } from '@sluice/core/backend/folder';
import type { LocalFile } from '@sluice/core/backend';
import type { LTXFileRef } from '@sluice/core/backend/testing';

import type { Case } from '../case.ts';
import type { CaseContext } from '../context.ts';
import { assertBytes, pattern, ref, rejectsWith, write } from '../helpers.ts';

const FILE = ref(0, 1);

export const localFileCases: readonly Case[] = [
  {
    id: 'local-file/is-the-file',
    promise: 'A local file has the bytes of the file, also after the file is replaced.',
    async run(context) {
      const bytes = pattern(70_001, 1);
      await write(context.replica, FILE, bytes);
      const local = await open(context, FILE);
      try {
        await write(context.replica, FILE, pattern(90_000, 2));
        const bytesRead = new Uint8Array(local.sizeBytes);
        await readFully(local.descriptor, bytesRead, 0);
        assertBytes(bytesRead, bytes);
      } finally {
        await local.close();
      }
    },
  },
  {
    id: 'local-file/of-nothing',
    promise: 'Opening a missing local file fails with REPLICA_NOT_FOUND.',
    async run(context) {
      await write(context.replica, FILE, pattern(1_000, 1));
      await rejectsWith(open(context, ref(0, 2)), 'REPLICA_NOT_FOUND');
    },
  },
];

async function open({ notTested, replica }: CaseContext, file: LTXFileRef): Promise<LocalFile> {
  if (replica.openLocalFile === undefined) return notTested('openLocalFile is not claimed');
  return await replica.openLocalFile(file);
}
