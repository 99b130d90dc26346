/**
 * Runs a search with the times in the files. A listing's time may be that of copying the bucket.
 *
 * A file whose header cannot be decoded has no time, and cannot be restored from either. The search
 * begins again without it, so that the files beside it decide.
 */

import { isError, ReplicationError } from '../../error.ts';
import type { LTXHeader } from '../../ltx/header.ts';
import type { LTXFileInfo } from '../../replica/replica.ts';
import type { TimeSearch } from './moment.ts';
import { UnusableFileError } from './unusable-file.ts';

/** Files whose headers cannot be decoded, with the reasons. */
export type UnreadableHeaders<File extends LTXFileInfo> = ReadonlyMap<File, UnusableFileError>;

export interface FoundTimes<File extends LTXFileInfo, Result> {
  readonly result: Result;
  readonly unreadable: UnreadableHeaders<File>;
}

/** A destination with more damage is not searched: each damaged file may need another round. */
const UNREADABLE_MAX = 100;

/**
 * `search` leaves out the files that `isAvoided` names. Errors of the search name the unreadable files.
 * Other errors of `headerOf`, such as those of the network, are thrown.
 */
export async function searchTimes<File extends LTXFileInfo, Result>(
  search: (isAvoided: (file: File) => boolean) => TimeSearch<File, Result>,
  headerOf: (file: File) => Promise<LTXHeader>,
): Promise<FoundTimes<File, Result>> {
  const times = new Map<File, Date>();
  const unreadable = new Map<File, UnusableFileError>();
  const read = async (file: File): Promise<void> => {
    try {
      times.set(file, new Date((await headerOf(file)).timestampMs));
    } catch (error) {
      if (!(error instanceof UnusableFileError)) throw error;
      unreadable.set(file, error);
    }
  };
  while (unreadable.size <= UNREADABLE_MAX) {
    const steps = search((file) => unreadable.has(file));
    let wanted: readonly File[] = [];
    do {
      const step = naming(unreadable, () =>
        steps.next(wanted.map((file) => times.get(file) as Date)),
      );
      if (step.done === true) return { result: step.value, unreadable };
      wanted = step.value;
      await Promise.all(wanted.filter((file) => !times.has(file)).map(read));
    } while (wanted.every((file) => times.has(file)));
  }
  const [first] = unreadable.values();
  const message = `more than ${UNREADABLE_MAX} files have damaged headers`;
  throw new ReplicationError(
    first?.code ?? 'LTX_INVALID',
    `${message}, so the times are not searched${wordsAbout(unreadable)}`,
    { cause: first },
  );
}

/** Adds the unreadable files to an error about what is stored. */
function naming<File extends LTXFileInfo, Result>(
  unreadable: UnreadableHeaders<File>,
  act: () => Result,
): Result {
  try {
    return act();
  } catch (error) {
    if (unreadable.size === 0 || !isError(error)) throw error;
    const message = `${error.message}${wordsAbout(unreadable)}`;
    throw new ReplicationError(error.code, message, { cause: error });
  }
}

function wordsAbout<File extends LTXFileInfo>(unreadable: UnreadableHeaders<File>): string {
  const [first] = unreadable.values();
  if (first === undefined) return '';
  const more = unreadable.size > 1 ? `, and of ${unreadable.size - 1} more files` : '';
  return `; left out, because it is damaged: ${first.message}${more}; to choose a state by number, use -txid`;
}
