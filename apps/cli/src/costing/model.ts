/**
 * Forecasts what one destination gets, keeps and loses in a month of steady state. Pure.
 *
 * Rates are averages: commits are spread evenly, and each changes pages at random in the part of the
 * database that changes (`hotBytes`). A file that merges n others then has
 * hot x (1 - (1 - bytes / hot)^n) bytes: n times the bytes of one while that is little, and never more than
 * the part that changes.
 *
 *  level    files an hour                          kept
 *  0        one for each sync that found commits   until a merged file covers it, and an hour
 *  1..n     one for each interval with commits     level 1: for the retention; the others: until the next
 *                                                  level or the next snapshot has their pages, and an hour
 *  9        one for each snapshot interval         for the retention, and the one before it
 *
 * A file waits for half of the next interval on average. Without retention everything is kept, and the
 * forecast is that of the end of the first month.
 */

export const HOURS_PER_MONTH = 730;
const HOUR_MS = 3_600_000;
const LEVEL_SNAPSHOT = 9;
/** Deletions wait this long after a file stopped being needed. */
const GRACE_HOURS = 1;
/** A destination that is written to is listed after an hour, or an hour for each page of the listing, and at least daily. */
const LISTING_HOURS_MIN = 1;
const LISTING_HOURS_MAX = 24;
/** While files are written, it is decided this often what to delete. */
const DECISIONS_PER_HOUR = 1;
/** Both ends of a snapshot are read after a listing, and before the files are deleted that it replaces. */
const SNAPSHOT_ENDS = 2;
/** A merge has at most this many inputs. */
const INPUTS_MAX = 256;
/** Files in one page of a listing, at all providers but Azure, whose pages are larger. */
const PAGE_FILES = 1_000;
/** Larger files are sent in parts, with one request before and one after them. */
const PART_BYTES = 8 * 1024 ** 2;

export interface Workload {
  readonly commitsPerHour: number;
  /** Size of a level-0 file with one commit. */
  readonly bytesPerCommit: number;
  /** Size of a full snapshot. */
  readonly snapshotBytes: number;
  /** The part of the snapshot that commits change, at most `snapshotBytes`. */
  readonly hotBytes: number;
  readonly restoresPerMonth: number;
}

export interface Schedule {
  readonly syncIntervalMs: number;
  /** Intervals of the merged levels, from 1 on, ascending. */
  readonly levelsMs: readonly number[];
  readonly snapshotIntervalMs: number;
  /** Infinity: nothing is deleted. */
  readonly retentionMs: number;
  /** Infinity: level 0 is kept as long as level 1. */
  readonly l0RetentionMs: number;
}

/** Properties of a backend that change the number of requests. */
export interface Requests {
  /** Files in one request that deletes. */
  readonly deleteMax: number;
}

export interface LevelForecast {
  readonly level: number;
  readonly filesPerHour: number;
  readonly bytesPerFile: number;
  readonly keptFiles: number;
}

export interface Forecast {
  readonly levels: readonly LevelForecast[];
  /** For a month. */
  readonly requests: {
    readonly put: number;
    readonly get: number;
    readonly list: number;
    readonly delete: number;
  };
  readonly deletedFiles: number;
  readonly sentBytes: number;
  readonly readBytes: number;
  /** At any time. */
  readonly storedFiles: number;
  readonly storedBytes: number;
}

export function forecast(workload: Workload, schedule: Schedule, requests: Requests): Forecast {
  const levels = levelsOf(workload, schedule);
  const sum = (of: (level: LevelForecast) => number): number =>
    levels.reduce((total, level) => total + of(level), 0);
  const filesPerMonth = sum(({ filesPerHour }) => filesPerHour) * HOURS_PER_MONTH;
  const storedFiles = sum(({ keptFiles }) => keptFiles);
  const storedBytes = sum(({ keptFiles, bytesPerFile }) => keptFiles * bytesPerFile);
  const restore = restoreOf(workload, schedule, levels);
  const isKept = schedule.retentionMs === Infinity;
  const checks = isKept ? NO_CHECKS : checksOf(schedule, levels);
  const deletedFiles = isKept ? 0 : filesPerMonth;
  const listingsPerHour = listingsPerHourOf(workload, storedFiles);
  return {
    levels,
    requests: {
      put:
        sum(({ filesPerHour, bytesPerFile }) => filesPerHour * requestsFor(bytesPerFile)) *
        HOURS_PER_MONTH,
      get:
        restore.files * workload.restoresPerMonth +
        (listingsPerHour * SNAPSHOT_ENDS + checks.getPerHour) * HOURS_PER_MONTH,
      list:
        pagesOf(storedFiles) * (listingsPerHour * HOURS_PER_MONTH + workload.restoresPerMonth) +
        checks.listPerHour * HOURS_PER_MONTH,
      delete: Math.max(
        deletedFiles / requests.deleteMax,
        Math.min(deletedFiles, checks.decisionsPerHour * HOURS_PER_MONTH),
      ),
    },
    deletedFiles,
    sentBytes:
      sum(({ filesPerHour, bytesPerFile }) => filesPerHour * bytesPerFile) * HOURS_PER_MONTH,
    readBytes: restore.bytes * workload.restoresPerMonth,
    storedFiles,
    storedBytes,
  };
}

function listingsPerHourOf({ commitsPerHour }: Workload, storedFiles: number): number {
  const hours = Math.max(LISTING_HOURS_MIN, storedFiles / PAGE_FILES, 1 / commitsPerHour);
  return 1 / Math.min(hours, LISTING_HOURS_MAX);
}

/** Decisions that delete something, and what is requested before they do. */
interface Checks {
  readonly decisionsPerHour: number;
  readonly listPerHour: number;
  readonly getPerHour: number;
}

const NO_CHECKS: Checks = { decisionsPerHour: 0, listPerHour: 0, getPerHour: 0 };

/** Each decision lists the levels of the files that replace others, and reads the ends of a snapshot. */
function checksOf({ levelsMs, l0RetentionMs }: Schedule, levels: readonly LevelForecast[]): Checks {
  const often = (perHour: number): number => Math.min(perHour, DECISIONS_PER_HOUR);
  const rateOf = (level: number): number =>
    levels.find((each) => each.level === level)?.filesPerHour ?? 0;
  const snapshots = often(rateOf(LEVEL_SNAPSHOT));
  const merges = l0RetentionMs === Infinity ? 0 : often(rateOf(1));
  // Files of level n are replaced by one of level n + 1, those of the highest level by a snapshot.
  const larger = levelsMs.slice(2).map((_, index) => often(rateOf(index + 3)));
  const listPerHour = larger.reduce((sum, rate) => sum + rate, merges + snapshots);
  return {
    decisionsPerHour: Math.max(merges, snapshots, ...larger),
    listPerHour,
    getPerHour: snapshots * SNAPSHOT_ENDS,
  };
}

function levelsOf(workload: Workload, schedule: Schedule): LevelForecast[] {
  const { commitsPerHour, snapshotBytes } = workload;
  const { syncIntervalMs, levelsMs, snapshotIntervalMs } = schedule;
  const perHour = (intervalMs: number): number => Math.min(commitsPerHour, HOUR_MS / intervalMs);
  const levels: LevelForecast[] = [];
  let filesPerHour = perHour(syncIntervalMs);
  for (const [level, keptHours] of keptHoursOf(schedule).entries()) {
    const intervalMs = levelsMs[level - 1];
    if (intervalMs !== undefined) filesPerHour = mergesOf(filesPerHour, perHour(intervalMs));
    const bytesPerFile =
      filesPerHour === 0 ? 0 : mergedBytes(workload, commitsPerHour / filesPerHour);
    levels.push({ level, filesPerHour, bytesPerFile, keptFiles: filesPerHour * keptHours });
  }
  const snapshotsPerHour = perHour(snapshotIntervalMs);
  levels.push({
    level: LEVEL_SNAPSHOT,
    filesPerHour: snapshotsPerHour,
    bytesPerFile: snapshotBytes,
    keptFiles: snapshotsPerHour * hoursOf(schedule.retentionMs) + 1,
  });
  return levels;
}

/** How long files of level 0, 1, 2… are kept, on average. */
function keptHoursOf(schedule: Schedule): number[] {
  const { levelsMs, snapshotIntervalMs, retentionMs, l0RetentionMs } = schedule;
  // The oldest snapshot that is kept is up to one interval older than the retention.
  const windowHours = hoursOf(retentionMs + snapshotIntervalMs / 2);
  const decidedMs = HOUR_MS / DECISIONS_PER_HOUR / 2;
  const untilMerged = (intervalMs: number): number =>
    Math.min(hoursOf(intervalMs / 2 + decidedMs), windowHours);
  const [first] = levelsMs;
  if (retentionMs === Infinity) return [0, ...levelsMs].map(() => windowHours);
  if (first === undefined) return [windowHours];
  const l0Hours = Math.min((l0RetentionMs + decidedMs) / HOUR_MS, windowHours);
  const larger = levelsMs.slice(1).map((_, index) => levelsMs[index + 2] ?? snapshotIntervalMs);
  return [Math.max(l0Hours, untilMerged(first)), windowHours, ...larger.map(untilMerged)];
}

/** Time until a file is deleted that is not needed after `ms`, at most the month of the forecast. */
function hoursOf(ms: number): number {
  return ms === Infinity ? HOURS_PER_MONTH : ms / HOUR_MS + GRACE_HOURS;
}

/** Files an hour of a level with so many windows an hour. */
function mergesOf(inputsPerHour: number, windowsPerHour: number): number {
  if (windowsPerHour === 0) return 0;
  return windowsPerHour * Math.max(1, Math.ceil(inputsPerHour / windowsPerHour / INPUTS_MAX));
}

/** Size of a file with this many commits. */
export function mergedBytes(
  { bytesPerCommit, hotBytes }: Pick<Workload, 'bytesPerCommit' | 'hotBytes'>,
  commits: number,
): number {
  if (bytesPerCommit >= hotBytes) return bytesPerCommit;
  return hotBytes * (1 - (1 - bytesPerCommit / hotBytes) ** commits);
}

/** An average restore of the newest state: a snapshot, and the largest files after it. */
function restoreOf(
  workload: Workload,
  { snapshotIntervalMs }: Schedule,
  levels: readonly LevelForecast[],
): { readonly files: number; readonly bytes: number } {
  let files = 1;
  let bytes = workload.snapshotBytes;
  let hours = snapshotIntervalMs / 2 / HOUR_MS;
  for (const { filesPerHour, bytesPerFile, level } of levels.toReversed()) {
    if (level === LEVEL_SNAPSHOT || filesPerHour === 0) continue;
    const count = Math.floor(hours * filesPerHour);
    files += count;
    bytes += count * bytesPerFile;
    hours -= count / filesPerHour;
  }
  return { files, bytes };
}

function requestsFor(sizeBytes: number): number {
  return sizeBytes <= PART_BYTES ? 1 : Math.ceil(sizeBytes / PART_BYTES) + 2;
}

function pagesOf(files: number): number {
  return Math.max(1, Math.ceil(files / PAGE_FILES));
}
