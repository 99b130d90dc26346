/** A disk that is full while a change is read does not end the follower, and blames no file of the backup. */

import { expect, onTestFinished, test } from 'vitest';
import { systemFiles, type FileSystem } from '../../src/file-system.ts';
import { Bucket } from '../restore/bucket.ts';
import { temporaryFolder } from '../restore/temporary.ts';
import { Following } from './following.ts';
import { Source } from './source.ts';

function noRoom(): never {
  throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
}

test.each(['create', 'write'] as const)(
  'a full disk, at the %s of the pages, is reported and retried',
  async (step) => {
    const bucket = new Bucket();
    const source = new Source(temporaryFolder(), bucket);
    onTestFinished(() => source.close());
    let isFull = false;
    const files: FileSystem = {
      ...systemFiles,
      scratch(file) {
        if (isFull && step === 'create') noRoom();
        const scratch = systemFiles.scratch(file);
        const write = isFull ? noRoom : scratch.write.bind(scratch);
        return { ...scratch, write };
      },
    };
    const following = await Following.start(temporaryFolder(), {
      clients: [bucket.client()],
      files,
    });
    await following.expectState(source);
    isFull = true;
    source.transfer();
    const { error } = await following.next('failing');
    expect(error).toMatchObject({ code: 'RESTORE_OUTPUT' });
    expect(error.message).toContain('free some space');
    isFull = false;
    await following.expectState(source);
    expect(following.seen.filter(({ kind }) => kind === 'avoided')).toEqual([]);
  },
);
