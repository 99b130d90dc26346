/**
 * Applies newer files to a kept copy. Every file is read whole and verified. If this fails, the copy is in no
 * known state: throw it away.
 */

import fs from 'node:fs';
import { availableParallelism } from 'node:os';
import type { LTXHeader } from '../../ltx/header.ts';
import type { LTXFileInfo } from '../../replica/replica.ts';
import { applyPlan, type AppliedPlan } from '../../restore/apply-plan.ts';
import type { RestoreSource } from '../../restore/plan/sources.ts';
import type { KeptCopy } from './kept-copy.ts';
import { FullRestoreNeeded } from './plan-warm.ts';

export interface WarmRestore {
  readonly source: RestoreSource;
  readonly base: KeptCopy;
  /** Continues the copy, oldest first. */
  readonly files: readonly LTXFileInfo[];
  readonly onProgress: ((progress: { doneBytes: number; totalBytes: number }) => void) | undefined;
  readonly signal: AbortSignal;
}

const READS_MAX = 8;
const THREADS_MAX = 4;

export async function restoreWarm(
  options: WarmRestore,
): Promise<{ readonly filesRead: number; readonly bytesRead: number }> {
  const { files } = options;
  if (files.length === 0) return { filesRead: 0, bytesRead: 0 };
  const descriptor = fs.openSync(options.base.file, 'r+');
  try {
    let doneBytes = 0;
    const totalBytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const addBytes = (count: number): void => {
      doneBytes += count;
      options.onProgress?.({ doneBytes, totalBytes });
    };
    const { filesRead } = await apply(options, { descriptor, totalBytes, addBytes });
    fs.fsyncSync(descriptor);
    return { filesRead, bytesRead: doneBytes };
  } finally {
    fs.closeSync(descriptor);
  }
}

interface Target {
  readonly descriptor: number;
  readonly totalBytes: number;
  readonly addBytes: (count: number) => void;
}

async function apply(
  { source, base, files, signal }: WarmRestore,
  { descriptor, totalBytes, addBytes }: Target,
): Promise<AppliedPlan> {
  const { maxTXID: txid } = files.at(-1) as LTXFileInfo;
  const sourced = files.map((file) => ({ ...file, source }));
  return await applyPlan({
    local: 'refused', // page indexes do not show which file is damaged
    plan: { txid, files: sourced, sizeBytes: totalBytes, ignored: [] },
    descriptor,
    base: {
      pages: base.sizeBytes / base.pageSize,
      requireContinued: (header) => requireContinues(base, header),
    },
    onSize: (sizeBytes) => Promise.resolve(fs.ftruncateSync(descriptor, sizeBytes)),
    threads: Math.min(THREADS_MAX, availableParallelism()),
    readsMax: READS_MAX,
    onBytes: addBytes,
    signal,
  });
}

/** A file without a lineage may have been merged from several. */
function requireContinues(base: KeptCopy, { nodeID, pageSize }: LTXHeader): void {
  if (nodeID !== base.lineage) throw new FullRestoreNeeded('a newer file has another lineage');
  if (pageSize !== base.pageSize) throw new FullRestoreNeeded('the page size has changed');
}
