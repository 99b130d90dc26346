/**
 * What Sluice and Litestream keep of a busy database, in virtual time: a commit each second, for a week.
 * Files are numbers of pages here. Sluice's merges and deletions are decided by core's own functions
 * (`nextMerge`, `decideRetention`), every hour as the replicator does. Litestream's rules are written down in
 * `litestream-rules.ts`.
 */

import { nextMerge, type LevelState } from '../../../packages/core/src/history/compaction.ts';
import { toLevels } from '../../../packages/core/src/history/levels.ts';
import { decideRetention } from '../../../packages/core/src/history/retention.ts';
import { toTXID, type TXID } from '../../../packages/core/src/ltx/txid.ts';

export interface Settings {
  readonly commitMs: number;
  readonly levelsMs: readonly number[];
  readonly snapshotMs: number;
  readonly retentionMs: number;
  readonly l0RetentionMs: number;
  /** How often Litestream looks for files of level 0 to delete. */
  readonly l0CheckMs: number;
  readonly durationMs: number;
  /** What is kept is averaged over this time at the end. */
  readonly averagedMs: number;
}

/** The database and what a commit changes. */
export interface Workload {
  /** Pages of the database after so many commits. */
  pagesAfter(commits: number): number;
  /** Pages that this commit changes. */
  changes(commit: number): readonly number[];
}

/** A file of a destination. */
export interface PagedFile {
  readonly level: number;
  readonly minTXID: TXID;
  readonly maxTXID: TXID;
  readonly sizeBytes: number;
  readonly modifiedAt: Date;
  readonly timestampMs: number;
  /** Dropped once it is merged into the next level. */
  pages: ReadonlySet<number> | undefined;
}

/** Average number of files and bytes that are kept, and everything that was sent. */
export interface Totals {
  readonly keptFiles: number;
  readonly keptBytes: number;
  /** Bytes of each level. */
  readonly keptOf: Readonly<Record<number, number>>;
  readonly sentFiles: number;
  readonly sentBytes: number;
}

/** The rules of one program. `written` is a new file of level 0; the result is all it writes now. */
export interface Rules {
  merge(nowMs: number): readonly PagedFile[];
  remove(files: readonly PagedFile[], nowMs: number): readonly PagedFile[];
  readonly removeEveryMs: number;
}

const LEVEL_SNAPSHOT = 9;
const EARLY_BYTES = Infinity;
const DECISION_MS = 3_600_000;
const PAGE_SIZE = 4_096;
/** Of a file without pages, as both programs write it. */
const FILE_BYTES = 130;
/** A page with a row of 4,000 random bytes, and its entry in the index, as both programs write it. */
const PAGE_BYTES = 4_057;

function sizeOf(pages: number): number {
  return FILE_BYTES + pages * PAGE_BYTES;
}

function newFile(
  level: number,
  txids: readonly [min: number | bigint, max: number | bigint],
  pages: ReadonlySet<number> | number,
  nowMs: number,
): PagedFile {
  const isCount = typeof pages === 'number';
  return {
    level,
    minTXID: toTXID(txids[0]),
    maxTXID: toTXID(txids[1]),
    sizeBytes: sizeOf(isCount ? pages : pages.size),
    modifiedAt: new Date(nowMs),
    timestampMs: nowMs,
    pages: isCount ? undefined : pages,
  };
}

function allPages(count: number): ReadonlySet<number> {
  return new Set(Array.from({ length: count }, (_, index) => index + 1));
}

export function mergeOf(level: number, inputs: readonly PagedFile[], nowMs: number): PagedFile {
  const pages = new Set<number>();
  for (const input of inputs) {
    for (const page of input.pages ?? []) pages.add(page);
    input.pages = undefined;
  }
  const [first, last] = [inputs[0] as PagedFile, inputs.at(-1) as PagedFile];
  const merged = newFile(level, [first.minTXID, last.maxTXID], pages, nowMs);
  return { ...merged, timestampMs: last.timestampMs };
}

/** Sluice, by core's own decisions. */
export function sluiceRules(settings: Settings, level0: () => readonly PagedFile[]): Rules {
  const levels = toLevels(settings.levelsMs);
  const waiting: PagedFile[][] = levels.map(() => []);
  let taken = 1; // an image is not merged
  const state = (): LevelState<PagedFile & { lineage: bigint; pageSize: number }>[] =>
    levels.map((level, index) => ({
      level,
      inputs: (waiting[index] ?? []) as (PagedFile & { lineage: bigint; pageSize: number })[],
    }));
  return {
    removeEveryMs: DECISION_MS,
    merge(nowMs) {
      for (; taken < level0().length; taken++) {
        const file = level0()[taken] as PagedFile;
        waiting[0]?.push(Object.assign(file, { lineage: 1n, pageSize: PAGE_SIZE }));
      }
      const written: PagedFile[] = [];
      for (;;) {
        const next = nextMerge({ levels: state(), nowMs, earlyBytes: EARLY_BYTES });
        if (next.kind !== 'merge') return written;
        const merged = mergeOf(next.level, next.inputs, nowMs);
        waiting[next.level - 1]?.splice(0, next.inputs.length);
        waiting[next.level]?.push(Object.assign(merged, { lineage: 1n, pageSize: PAGE_SIZE }));
        written.push(merged);
      }
    },
    remove(files, nowMs) {
      const { retentionMs, l0RetentionMs } = settings;
      const policy = { retentionMs, l0RetentionMs, topLevel: levels.length };
      const { deletes, objection } = decideRetention({ files, nowMs, policy });
      if (objection !== undefined) throw new Error(objection);
      const gone = new Set<object>(deletes);
      return files.filter((file) => !gone.has(file));
    },
  };
}

/** Runs `rules` over the workload. */
export function keep(
  settings: Settings,
  workload: Workload,
  rulesOf: (settings: Settings, level0: () => readonly PagedFile[]) => Rules,
): Totals {
  const image = newFile(0, [1, 1], allPages(workload.pagesAfter(0)), 0);
  const level0: PagedFile[] = [image];
  const rules = rulesOf(settings, () => level0);
  let files: readonly PagedFile[] = [{ ...image, level: LEVEL_SNAPSHOT }, image];
  const sent = { files: 2, bytes: 2 * image.sizeBytes };
  const kept = { files: 0, bytes: 0, samples: 0 };
  const keptOf: Record<number, number> = {};
  const { commitMs, snapshotMs, durationMs, averagedMs } = settings;
  let added: PagedFile[] = [];
  const turn = (nowMs: number, everyMs: number): boolean =>
    Math.floor(nowMs / everyMs) !== Math.floor((nowMs - commitMs) / everyMs);
  for (let commit = 1; commit * commitMs <= durationMs; commit++) {
    const nowMs = commit * commitMs;
    const txid = commit + 1;
    const written = newFile(0, [txid, txid], new Set(workload.changes(commit)), nowMs);
    const known = added.length;
    level0.push(written);
    added.push(written, ...rules.merge(nowMs));
    if (turn(nowMs, snapshotMs)) {
      added.push(newFile(LEVEL_SNAPSHOT, [1, txid], workload.pagesAfter(commit), nowMs));
    }
    for (const { sizeBytes } of added.slice(known)) {
      sent.files += 1;
      sent.bytes += sizeBytes;
    }
    const isAveraged = nowMs > durationMs - averagedMs;
    // Before that, deleting later makes no difference.
    if (!turn(nowMs, isAveraged ? rules.removeEveryMs : snapshotMs)) continue;
    const before = [...files, ...added];
    files = rules.remove(before, nowMs);
    added = [];
    if (!isAveraged) continue;
    for (const sample of [before, files]) {
      kept.files += sample.length;
      for (const { level, sizeBytes } of sample) {
        kept.bytes += sizeBytes;
        keptOf[level] = (keptOf[level] ?? 0) + sizeBytes;
      }
      kept.samples += 1;
    }
  }
  return {
    keptFiles: kept.files / kept.samples,
    keptBytes: kept.bytes / kept.samples,
    keptOf: Object.fromEntries(
      Object.entries(keptOf).map(([level, bytes]) => [level, Math.round(bytes / kept.samples)]),
    ),
    sentFiles: sent.files,
    sentBytes: sent.bytes,
  };
}
