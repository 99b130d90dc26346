/** The files of a warm copy. Pure. */

import path from 'node:path';

export interface CopyPaths {
  /** The database, without symbolic links: SQLite keeps the journal beside the real file. */
  readonly database: string;
  /** SQLite's rollback journal. */
  readonly journal: string;
  /** Everything below is in this folder. */
  readonly folder: string;
  readonly position: string;
  /** A journal that is not complete yet. */
  readonly nextJournal: string;
  /** Pages of a change, until it is verified. */
  readonly pages: string;
  /** A complete restore, whose differing pages are then written to the copy. */
  readonly rebase: string;
}

/** `.<name>-sluice-follow` beside the database: a rename out of it must not cross a file system. */
export function copyPathsOf(database: string): CopyPaths {
  const folder = path.join(path.dirname(database), `.${path.basename(database)}-sluice-follow`);
  return {
    database,
    journal: `${database}-journal`,
    folder,
    position: path.join(folder, 'position'),
    nextJournal: path.join(folder, 'journal'),
    pages: path.join(folder, 'pages'),
    rebase: path.join(folder, 'rebase'),
  };
}
