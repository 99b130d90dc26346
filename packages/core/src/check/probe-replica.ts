/**
 * The replica used by probes. It is below the real replica, but does not appear in its files or listings.
 * It records the files that were written, to delete them.
 */

import { isError, type ErrorCode } from '../error.ts';
import { formatFilename } from '../ltx/filename.ts';
import { toTXID } from '../ltx/txid.ts';
import { ProbeBytes, type ProbeFile } from './bytes.ts';
import type { LTXFileInfo } from '../replica/replica.ts';
import type { LTXFileRef } from '../store/layout.ts';
import type { Destination } from '../replica/destination.ts';
import type { Replica } from '../replica/replica.ts';

/** Begins with a dot, unlike any level or file of a replica. */
const PROBE_PREFIX = '.sluice-check-';

/** The path of the probes for the replica at `path`. `random` consists of lowercase letters and digits. */
export function probePath(path: string, random: string): string {
  const name = PROBE_PREFIX + random;
  return path === '' ? name : `${path}/${name}`;
}

export interface Probe extends ProbeFile {
  readonly ref: LTXFileRef;
}

export function probeFile(level: number, maxTXID: number, file: ProbeFile): Probe {
  const minTXID = level === 0 ? maxTXID : 1;
  return { ...file, ref: { level, minTXID: toTXID(minTXID), maxTXID: toTXID(maxTXID) } };
}

export interface ProbeReplicaOptions {
  readonly destination: Destination;
  readonly path: string;
  readonly bytes: ProbeBytes;
  /** Milliseconds. Only differences are meaningful. */
  readonly now: () => number;
  readonly signal: AbortSignal | undefined;
}

export class ProbeReplica {
  readonly path: string;
  readonly #replica: Replica;
  readonly #bytes: ProbeBytes;
  readonly #now: () => number;
  readonly #signal: AbortSignal | undefined;
  /** Files that we tried to write, by name. A failed write may have succeeded, unless it was refused. */
  readonly #tried = new Map<string, LTXFileRef>();
  #written = 0;

  constructor({ destination, path, bytes, now, signal }: ProbeReplicaOptions) {
    this.path = path;
    // Every conflict must be reported: probes must not take one for their own success.
    this.#replica = destination.unsettled(path);
    this.#bytes = bytes;
    this.#now = now;
    this.#signal = signal;
  }

  get tried(): readonly LTXFileRef[] {
    return [...this.#tried.values()];
  }

  get written(): number {
    return this.#written;
  }

  async write(probe: Probe, condition?: 'if-absent'): Promise<void> {
    const name = nameOf(probe.ref);
    const isNew = !this.#tried.has(name);
    this.#tried.set(name, probe.ref);
    const options = { condition, signal: this.#signal };
    try {
      await this.#replica.writeFile(probe.ref, this.#bytes.body(probe), options);
    } catch (error) {
      if (isNew && isRefusal(error)) this.#tried.delete(name);
      throw error;
    }
    if (isNew) this.#written += 1;
  }

  /** Writes through `destination`, and aborts the write when more than `bytes` have been requested. */
  async writeAborted(destination: Destination, probe: Probe, bytes: number): Promise<void> {
    const aborting = new AbortController();
    const reason = new Error('aborted by the check');
    const body = this.#bytes.bodyPast(probe, bytes, () => aborting.abort(reason));
    const signals = this.#signal === undefined ? [] : [this.#signal];
    const signal = AbortSignal.any([aborting.signal, ...signals]);
    this.#tried.set(nameOf(probe.ref), probe.ref);
    try {
      await destination.unsettled(this.path).writeFile(probe.ref, body, { signal });
    } catch (error) {
      if (error !== reason) throw error;
    }
  }

  /** Describes the first error in the bytes from `start` to `end`; undefined if they are correct. */
  async fault(probe: Probe, range?: { start: number; end: number }): Promise<string | undefined> {
    const { start, end } = range ?? { start: 0, end: probe.sizeBytes };
    const opened = await this.#replica.openFile(probe.ref, { range, signal: this.#signal });
    const { equal, received } = await this.#bytes.matching(opened.body, probe, start);
    const what = `bytes ${start} to ${end} of ${probe.sizeBytes}`;
    if (opened.sizeBytes !== probe.sizeBytes) return `${what}: reported size ${opened.sizeBytes}`;
    if (received !== end - start) return `${what}: received ${received} bytes`;
    return equal === received ? undefined : `${what}: wrong byte at ${start + equal}`;
  }

  async holds(probe: Probe, range?: { start: number; end: number }): Promise<boolean> {
    try {
      return (await this.fault(probe, range)) === undefined;
    } catch (error) {
      if (isError(error, 'REPLICA_NOT_FOUND')) return false;
      throw error;
    }
  }

  /** Call it if the file does not exist: it need not be deleted. */
  forget(ref: LTXFileRef): void {
    this.#tried.delete(nameOf(ref));
  }

  async isThere(ref: LTXFileRef): Promise<boolean> {
    const found = await this.list(ref.level, { from: ref });
    return found.some((file) => nameOf(file) === nameOf(ref));
  }

  async list(
    level: number | 'all',
    options: { readonly from?: LTXFileRef | undefined; readonly signal?: AbortSignal } = {},
  ): Promise<LTXFileInfo[]> {
    const { from, signal = this.#signal } = options;
    return await Array.fromAsync(this.#replica.listFiles(level, { from: from?.minTXID, signal }));
  }

  async deleteTried(signal: AbortSignal): Promise<void> {
    await this.#replica.deleteFiles(this.tried, { signal });
  }

  /** The key of a file relative to the path of the probes. */
  labelOf(ref: LTXFileRef): string {
    return this.#replica.keyOf(ref).slice(this.path.length + 1);
  }

  /** The full key of the object with this label. */
  keyOf(label: string): string {
    return `${this.path}/${label}`;
  }

  /** The duration of `work`, in milliseconds. */
  async time(work: () => Promise<unknown>): Promise<number> {
    const began = this.#now();
    await work();
    return this.#now() - began;
  }
}

/** Level and name, as in "level 0 0000000000000001-0000000000000001.ltx". */
export function nameOf({ level, minTXID, maxTXID }: LTXFileRef): string {
  return `level ${level} ${formatFilename(minTXID, maxTXID)}`;
}

/** Codes after which nothing was written. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set([
  'REPLICA_PERMISSION_DENIED',
  'REPLICA_UNAUTHENTICATED',
  'REPLICA_HOST_UNTRUSTED',
  'REPLICA_DESTINATION_NOT_FOUND',
  'REPLICA_UNSUPPORTED',
]);

export function isRefusal(error: unknown): boolean {
  return isError(error) && REFUSALS.has(error.code);
}
