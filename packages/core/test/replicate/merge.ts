/** Merged files for tests. */

import { systemFiles } from '../../src/file-system.ts';
import { createKernel } from '../../src/kernel/kernel.ts';
import { mergeFiles, type StagedMerge } from '../../src/replicate/levels/merge-files.ts';
import type { Staged } from './scene.ts';

const kernel = createKernel();

/** Merges the staged level-0 files `from` to `to` into level 1. */
export async function merge(staged: Staged, from: number, to: number): Promise<StagedMerge> {
  const inputs = staged.backlog.files.filter(({ txid }) => txid >= from && txid <= to);
  const order = {
    folder: staged.folder,
    level: 1,
    inputs,
    encoding: 'block',
    verify: 'verify',
  } as const;
  return await mergeFiles(order, { files: systemFiles, kernel });
}
