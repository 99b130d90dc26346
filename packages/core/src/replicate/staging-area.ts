/** The staged files of one database, of level 0 and merged, and when they are freed. */

import { Compactor, type LevelHolder } from './levels/compactor.ts';
import type { SentRecords } from './record.ts';
import type { ReplicationContext } from './replication-context.ts';
import { type Holder, StagedFiles } from './staged-files.ts';

export interface StagingAreaContext extends Pick<
  ReplicationContext,
  'options' | 'merge' | 'files' | 'clock' | 'logger'
> {
  readonly records: SentRecords;
  /** undefined until the contents of the destinations are known; nothing is freed before that. */
  readonly holders: () => readonly (Holder & LevelHolder)[] | undefined;
  /** A merged file was staged, or cannot be made now. */
  readonly onMerged: () => void;
  readonly report: (error: unknown) => void;
}

export class StagingArea {
  readonly staged: StagedFiles;
  readonly compactor: Compactor;

  constructor(context: StagingAreaContext) {
    const { metaPath: folder, stagingMaxBytes: maxBytes } = context.options;
    this.staged = new StagedFiles({
      ...context,
      folder,
      maxBytes,
      mergedBytes: () => this.compactor.stagedBytes,
      keepsAfter: () => this.compactor.keepsAfter,
      dropMerged: () => this.compactor.drop(),
    });
    this.compactor = new Compactor({
      ...context,
      backlog: this.staged.backlog,
      onMerged: () => {
        context.onMerged();
        this.free();
      },
      onGone: (path) => this.staged.forget(path),
      remove: (paths) => this.staged.removeMerged(paths),
    });
  }

  /** Frees what no destination and no merge needs, and the oldest files over the limit. */
  free(): void {
    this.compactor.free();
    this.staged.free();
  }

  /** A staged file was found to be missing. */
  forget(path: string): void {
    this.staged.forget(path);
    this.compactor.forget(path);
  }
}
