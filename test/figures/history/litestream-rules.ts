/**
 * What Litestream 0.5 merges and deletes, for figures that would need a week.
 *
 *  level 0     goes when it is older than l0-retention and level 1 has it; looked at every l0-retention-check-interval
 *  level 1..n  at each multiple of the interval, everything of the level below that is not merged yet
 *  level 9     at each multiple of the interval, then snapshots older than the retention go, then files of level 1 to n
 *              that end before the newest snapshot that went
 *
 * The first file of level 0, a full snapshot, is merged into each level like the others.
 */

import { mergeOf, type PagedFile, type Rules, type Settings } from './virtual-week.ts';

const LEVEL_SNAPSHOT = 9;

export function litestreamRules(settings: Settings, level0: () => readonly PagedFile[]): Rules {
  const { commitMs, levelsMs, snapshotMs, retentionMs, l0RetentionMs, l0CheckMs } = settings;
  const turn = (nowMs: number, everyMs: number): boolean =>
    Math.floor(nowMs / everyMs) !== Math.floor((nowMs - commitMs) / everyMs);
  const waiting: PagedFile[][] = levelsMs.map(() => []);
  let taken = 0;
  let floor = 0n;
  return {
    removeEveryMs: l0CheckMs,
    merge(nowMs) {
      for (; taken < level0().length; taken++) waiting[0]?.push(level0()[taken] as PagedFile);
      const written: PagedFile[] = [];
      for (const [index, intervalMs] of levelsMs.entries()) {
        const inputs = waiting[index] ?? [];
        if (!turn(nowMs, intervalMs) || inputs.length === 0) continue;
        const merged = mergeOf(index + 1, inputs, nowMs);
        waiting[index] = [];
        waiting[index + 1]?.push(merged);
        written.push(merged);
      }
      return written;
    },
    remove(files, nowMs) {
      const newest = new Map<number, bigint>();
      for (const { level, maxTXID } of files) {
        if (maxTXID > (newest.get(level) ?? -1n)) newest.set(level, maxTXID);
      }
      const merged = newest.get(1) ?? 0n;
      // It deletes after it has written the next snapshot: a snapshot is a little older then.
      const isOlder = ({ modifiedAt }: PagedFile, ageMs: number): boolean =>
        nowMs - modifiedAt.getTime() >= ageMs;
      const isSnapshotTime = nowMs % snapshotMs < l0CheckMs;
      for (const file of isSnapshotTime ? files : []) {
        const isOld = file.level === LEVEL_SNAPSHOT && isOlder(file, retentionMs);
        if (isOld && file.maxTXID > floor) floor = file.maxTXID;
      }
      const isNeeded = (file: PagedFile): boolean => {
        if (file.level === 0) return !isOlder(file, l0RetentionMs) || file.maxTXID > merged;
        if (!isSnapshotTime) return true;
        return file.level === LEVEL_SNAPSHOT ? !isOlder(file, retentionMs) : file.maxTXID >= floor;
      };
      return files.filter((file) => newest.get(file.level) === file.maxTXID || isNeeded(file));
    },
  };
}
