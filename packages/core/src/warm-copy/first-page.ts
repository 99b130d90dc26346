/**
 * Page 1 of a warm copy. It differs from page 1 of the source in five fields. Pure.
 *
 *  off size field                        in the copy
 *   18   2  write and read version       1: rollback journal, so that readers obey the locks of the file
 *   24   4  change counter               a new value with each change, so that readers drop their caches
 *   28   4  size in pages                the real size
 *   92   4  counter that the size is for the change counter
 *
 * The source cannot supply the counter: in WAL mode SQLite does not advance it with each commit.
 */

/** The fields above are in the first 100 bytes. */
const PAGE_SIZE_AT = 16;
const VERSIONS_AT = 18;
const COUNTER_AT = 24;
const COMMIT_AT = 28;
const COUNTER_OF_COMMIT_AT = 92;
const ROLLBACK_JOURNAL = 1;
const WAL = 2;

/** How a database writes: the mode in its file. */
export type StoredMode = 'wal' | 'rollback';

/** A copy of `page` with the fields of a warm copy. */
export function toCopyPage(
  page: Uint8Array,
  { counter, commit }: { readonly counter: number; readonly commit: number },
): Uint8Array {
  const result = page.slice();
  const view = viewOf(result);
  result.fill(ROLLBACK_JOURNAL, VERSIONS_AT, VERSIONS_AT + 2);
  view.setUint32(COUNTER_AT, counter);
  view.setUint32(COMMIT_AT, commit);
  view.setUint32(COUNTER_OF_COMMIT_AT, counter);
  return result;
}

export function changeCounterOf(page: Uint8Array): number {
  return viewOf(page).getUint32(COUNTER_AT);
}

/** 512 to 65536; undefined if this is not page 1 of a database. */
export function pageSizeOf(page: Uint8Array): number | undefined {
  const stored = viewOf(page).getUint16(PAGE_SIZE_AT);
  const size = stored === 1 ? 65_536 : stored;
  return size >= 512 && (size & (size - 1)) === 0 ? size : undefined;
}

export function modeOf(page: Uint8Array): StoredMode {
  return page[VERSIONS_AT] === WAL || page[VERSIONS_AT + 1] === WAL ? 'wal' : 'rollback';
}

/** Nobody else writes this often between two changes of ours. */
const OTHER_WRITES_MAX: number = 2 ** 16;

/**
 * The next change counter: random, and far from `before`. Another program that writes to the copy adds 1,
 * so its writes are never taken for ours.
 */
export function nextCounter(before: number, random: number): number {
  const distance = OTHER_WRITES_MAX + (random % (2 ** 32 - 2 * OTHER_WRITES_MAX));
  return (before + distance) % 2 ** 32;
}

function viewOf(page: Uint8Array): DataView {
  return new DataView(page.buffer, page.byteOffset, page.byteLength);
}
