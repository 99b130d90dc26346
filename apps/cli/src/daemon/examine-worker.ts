/**
 * A process that looks into new files of directories. The replicator must not: if it has the same file open under another
 * name, closing it would drop the locks of SQLite.
 */

import { examineFiles } from '../config/examine.ts';

process.once('message', (files: readonly string[]) => {
  void examineFiles(files).then((results) => process.send?.(results, () => process.disconnect()));
});
