/**
 * Measurements of the last hours, in memory: lag, throughput, WAL and staging of every database. The page shows them
 * without Prometheus.
 *
 * One reading of all databases is a frame of 32-bit numbers. All frames together never take more than BYTES_MAX:
 * the more databases there are, the longer the time between two of them, and at last the fewer hours there are.
 */

import type { DatabaseStatus, StatusError } from '@sluice/core';
import type { ErrorCount, Samples } from '@sluice/dashboard';

/** Memory of all frames. */
const BYTES_MAX: number = 16 * 1024 ** 2;
/** How far back they reach, if there is room. */
export const HISTORY_MS: number = 6 * 3_600_000;
/** Shortest time between two frames. */
export const INTERVAL_MS_MIN = 10_000;
/** Reading takes at most this share of a core. */
const LOAD_MAX = 0.002;
/** Kinds of errors that are counted for a database. */
const ERROR_KINDS_MAX = 32;

/** WAL bytes, staged bytes, commits a second. */
const DATABASE_VALUES = 3;
/** Lag, sent bytes a second. */
const DESTINATION_VALUES = 2;

/** Where the values of each database are in a frame. The same object while the databases are the same. */
interface Layout {
  readonly key: string;
  readonly places: ReadonlyMap<string, Place>;
  readonly length: number;
}

interface Place {
  readonly offset: number;
  readonly destinations: readonly string[];
}

interface Frame {
  readonly atMs: number;
  readonly layout: Layout;
  readonly values: Float32Array;
}

/** Counters of one database at the last reading, to compute rates. */
interface Counters {
  readonly atMs: number;
  readonly pid: number;
  readonly commits: number;
  readonly sent: ReadonlyMap<string, number>;
}

export class SampleBuffer {
  readonly #bytesMax: number;
  #frames: Frame[] = [];
  #bytes = 0;
  #counters = new Map<string, Counters>();
  readonly #errors = new Map<string, Map<string, ErrorCount>>();

  constructor(bytesMax: number = BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** How long to wait before the next reading. `tookMs`: how long this one took. */
  intervalMs(tookMs: number): number {
    const size = this.#frames.at(-1)?.values.byteLength ?? 0;
    const forMemory = (HISTORY_MS * size) / this.#bytesMax;
    return Math.max(INTERVAL_MS_MIN, forMemory, tookMs / LOAD_MAX);
  }

  /** Takes a reading. `nowMs`: Unix time. */
  add(statuses: readonly DatabaseStatus[], nowMs: number): void {
    const layout = this.#layoutOf(statuses);
    const values = new Float32Array(layout.length).fill(Number.NaN);
    const counters = new Map<string, Counters>();
    for (const status of statuses) {
      const place = layout.places.get(status.path);
      if (place === undefined) continue;
      const now = countersOf(status, nowMs);
      values.set(valuesOf(status, now, this.#counters.get(status.path)), place.offset);
      counters.set(status.path, now);
      this.#countErrors(status);
    }
    this.#counters = counters;
    for (const path of this.#errors.keys()) if (!counters.has(path)) this.#errors.delete(path);
    this.#frames.push({ atMs: nowMs, layout, values });
    this.#bytes += values.byteLength;
    this.#forget(nowMs);
  }

  /** undefined if nothing was measured. */
  of(path: string): Samples | undefined {
    const found = this.#frames.flatMap((frame) => {
      const place = frame.layout.places.get(path);
      return place === undefined ? [] : [{ ...frame, place }];
    });
    const last = found.at(-1);
    if (last === undefined) return undefined;
    const series = (index: number): (number | null)[] =>
      found.map(({ values, place }) => known(values[place.offset + index]));
    return {
      at: found.map(({ atMs }) => Math.round(atMs / 1_000)),
      walBytes: series(0),
      stagedBytes: series(1),
      commitsPerSecond: series(2),
      destinations: last.place.destinations.map((name) => {
        const valueOf = (index: number): (number | null)[] =>
          found.map(({ values, place: { offset, destinations } }) => {
            const at = destinations.indexOf(name);
            const own = offset + DATABASE_VALUES + at * DESTINATION_VALUES;
            return at < 0 ? null : known(values[own + index]);
          });
        return { name, lagSeconds: valueOf(0), sentBytesPerSecond: valueOf(1) };
      }),
      errors: [...(this.#errors.get(path)?.values() ?? [])],
    };
  }

  #layoutOf(statuses: readonly DatabaseStatus[]): Layout {
    const key = JSON.stringify(
      statuses.map(({ path, destinations }) => [path, ...destinations.map(({ name }) => name)]),
    );
    const last = this.#frames.at(-1)?.layout;
    if (last?.key === key) return last;
    const places = new Map<string, Place>();
    let offset = 0;
    for (const { path, destinations } of statuses) {
      places.set(path, { offset, destinations: destinations.map(({ name }) => name) });
      offset += DATABASE_VALUES + destinations.length * DESTINATION_VALUES;
    }
    return { key, places, length: offset };
  }

  /** Removes the oldest frames, but never the newest. */
  #forget(nowMs: number): void {
    let count = 0;
    let bytes = this.#bytes;
    for (const { atMs, values } of this.#frames.slice(0, -1)) {
      if (bytes <= this.#bytesMax && nowMs - atMs <= HISTORY_MS) break;
      bytes -= values.byteLength;
      count += 1;
    }
    this.#bytes = bytes;
    if (count > 0) this.#frames = this.#frames.slice(count);
  }

  /** An error counts when it appears, and when the same one has a newer time. */
  #countErrors({ path, error, snapshotError, destinations }: DatabaseStatus): void {
    for (const each of [error, snapshotError]) this.#countError(path, each, undefined);
    for (const { name, lastError, snapshotError: refused, mergeError } of destinations) {
      for (const each of [lastError, refused, mergeError]) this.#countError(path, each, name);
    }
  }

  #countError(path: string, error: StatusError | undefined, destination: string | undefined): void {
    if (error === undefined) return;
    const { code, at: lastAt, message } = error;
    const key = `${code} ${destination ?? ''}`;
    const kinds = this.#errors.get(path) ?? new Map<string, ErrorCount>();
    const before = kinds.get(key);
    if (before?.lastAt === lastAt) return;
    if (before === undefined && kinds.size >= ERROR_KINDS_MAX) return;
    kinds.set(key, { code, destination, count: (before?.count ?? 0) + 1, lastAt, message });
    this.#errors.set(path, kinds);
  }
}

function known(value: number | undefined): number | null {
  return value === undefined || Number.isNaN(value) ? null : value;
}

function countersOf({ pid, commitsSeen, destinations }: DatabaseStatus, atMs: number): Counters {
  const sent = new Map(destinations.map(({ name, bytesSent }) => [name, bytesSent]));
  return { atMs, pid, commits: commitsSeen, sent };
}

function valuesOf(status: DatabaseStatus, now: Counters, before: Counters | undefined): number[] {
  const perSecond = (value: number, earlier: number | undefined): number => {
    const seconds = before === undefined ? 0 : (now.atMs - before.atMs) / 1_000;
    const isSame = before?.pid === now.pid && earlier !== undefined && value >= earlier;
    return isSame && seconds > 0 ? (value - earlier) / seconds : Number.NaN;
  };
  return [
    status.walBytes,
    status.stagedBytes,
    perSecond(now.commits, before?.commits),
    ...status.destinations.flatMap(({ name, lagSeconds, bytesSent }) => [
      lagSeconds,
      perSecond(bytesSent, before?.sent.get(name)),
    ]),
  ];
}
