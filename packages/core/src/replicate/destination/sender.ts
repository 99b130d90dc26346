/**
 * Sends staged files to one destination, one after the other.
 *
 * The first file that this process writes there is listed back before it counts: a server that tidies
 * keys, or one that answers in the place of another, takes a file and shows it under no name that we
 * know. What cannot be listed cannot be restored. It costs one listing for each destination and
 * process. A file that is not listed is looked for again, and written again after REWRITE_MS.
 */

import type { Clock } from '../../clock.ts';
import { formatBytes } from '../../config/bytes.ts';
import { isError, ReplicationError } from '../../error.ts';
import type { FileSystem } from '../../file-system.ts';
import { type FencedReplica, Fencing, writeFenced } from '../../replica/fencing.ts';
import type { LTXFileInfo, ReplicaFiles } from '../../replica/replica.ts';
import type { Logger } from '../../store/backend.ts';
import type { Capabilities } from '../../store/client.ts';
import { describeFile } from '../../store/describe.ts';
import type { LTXFileRef } from '../../store/layout.ts';
import type { SentRecord } from './admission.ts';
import { bodyAs, type SharedReads } from './bodies.ts';
import type { Holdings } from './holdings.ts';
import type { SeedSource, SeedWrite } from './next.ts';

/** What the server does not show may be large: it is not sent again more often. */
const REWRITE_MS = 600_000;

export interface SenderContext {
  /** The destination's. */
  readonly name: string;
  readonly target: string;
  readonly holdings: Holdings;
  readonly onBytes: () => void;
  /** A file is there, and counts. */
  readonly onWritten: (written: Written) => void;
  /** Shared by all destinations of the database. */
  readonly reads: SharedReads;
  readonly files: FileSystem;
  /** A staged file was found to be gone. */
  readonly onGone: (path: string) => void;
  /** Shared by all senders to one destination. */
  readonly seen: SeenFiles;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Whether any file that was written by this process was listed. */
export class SeenFiles {
  any: 'none' | 'some' = 'none';
}

export class Sender {
  readonly #context: SenderContext;
  /** Written, and to be looked for. */
  #unlisted: (Written & { readonly writtenAt: number }) | undefined;
  /** Looked for in vain, and to be written again. */
  #lost: Written | undefined;

  constructor(context: SenderContext) {
    this.#context = context;
  }

  /** Whether a file was written that was not found again: it is looked for before anything is sent. */
  get isLooking(): boolean {
    return this.#unlisted !== undefined;
  }

  /** 'changed' where the staged file was freed before it was sent. */
  async send(
    replica: FencedReplica,
    { ref, source, need }: SeedWrite,
    signal: AbortSignal,
  ): Promise<'worked' | 'changed'> {
    const { name, target, holdings, files, reads, onBytes, onGone, seen, clock, logger } =
      this.#context;
    const onFound = (level: 'warn' | 'debug', message: string): void =>
      logger[level](`${name}: ${message}`, { target });
    let written: Written | 'gone';
    try {
      written = await sendFile(replica, {
        ...{ ref, source, files, reads },
        ...{ onBytes, onFound, signal },
      });
    } catch (error) {
      if (this.#isOwnLost(error, ref)) throw notListed(ref, 'it is not listed');
      if (isError(error, 'REPLICA_CONFLICT')) holdings.taken(ref, need);
      throw error;
    }
    if (written === 'gone') {
      logger.warn(`${name}: ${source.path} was removed before it was sent`);
      onGone(source.path);
      return 'changed';
    }
    if (seen.any === 'some') return this.#record(written);
    this.#unlisted = { ...written, writtenAt: clock.monotonic() };
    return await this.look(replica.client, signal);
  }

  /** Looks for the file that was written last. REPLICA_NOT_LISTED where it is not found. */
  async look(client: ReplicaFiles, signal: AbortSignal): Promise<'worked'> {
    const { seen, clock } = this.#context;
    const unlisted = this.#unlisted;
    if (unlisted === undefined) throw new TypeError('no file is looked for');
    if (seen.any === 'none') {
      const how = await whyUnlisted(client, unlisted.info, signal);
      if (how !== undefined) {
        if (clock.monotonic() - unlisted.writtenAt >= REWRITE_MS) {
          this.#lost = unlisted;
          this.#unlisted = undefined;
        }
        throw notListed(unlisted.info, how);
      }
      seen.any = 'some';
    }
    this.#unlisted = undefined;
    this.#lost = undefined;
    return this.#record(unlisted);
  }

  /** From here on it counts. */
  #record(written: Written): 'worked' {
    this.#context.holdings.wrote(written);
    this.#context.onWritten(written);
    return 'worked';
  }

  /** A name that is taken by our own file, which no listing shows, is looked for again. */
  #isOwnLost(error: unknown, ref: LTXFileRef): boolean {
    if (!isError(error, 'REPLICA_CONFLICT') || this.#lost === undefined) return false;
    if (!isSame(this.#lost.info, ref)) return false;
    this.#unlisted = { ...this.#lost, writtenAt: this.#context.clock.monotonic() };
    return true;
  }
}

/** Why it does not count as stored; undefined where a listing shows it as it was written. */
async function whyUnlisted(
  client: ReplicaFiles,
  file: LTXFileInfo,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { level, minTXID: from, sizeBytes } = file;
  for await (const found of client.listFiles(level, { from, signal })) {
    if (found.minTXID > from) break;
    if (!isSame(found, file)) continue;
    if (found.sizeBytes === sizeBytes) return undefined;
    return `it is listed with ${found.sizeBytes} bytes, but ${sizeBytes} were sent`;
  }
  return 'it is not listed';
}

function isSame(a: LTXFileRef, b: LTXFileRef): boolean {
  return a.level === b.level && a.minTXID === b.minTXID && a.maxTXID === b.maxTXID;
}

function notListed(file: LTXFileRef, how: string): ReplicationError {
  return new ReplicationError(
    'REPLICA_NOT_LISTED',
    `wrote ${describeFile(file)}, and the server confirmed it, but ${how}: the server ` +
      'stored it under another name or not at all, so nothing there counts as replicated; check that ' +
      'the path has no leading, trailing or double slash and no backslash, and what stands before ' +
      'the server',
  );
}

// --- one staged file to one destination ---

export interface OpenReplica {
  readonly client: ReplicaFiles;
  readonly capabilities: Capabilities;
  /** What is known of its conditional writes; one for all replicas of a destination. */
  readonly fencing?: Fencing | undefined;
  /** The same files, whose conflicts come as they are: without it fencing is not proved. */
  readonly unsettled?: ReplicaFiles | undefined;
}

/** Where nobody brings it along, what is known of a destination is known of this replica only. */
export function withFencing(replica: OpenReplica): FencedReplica {
  return { ...replica, fencing: replica.fencing ?? new Fencing() };
}

/** A file that was written. */
export interface Written {
  readonly info: LTXFileInfo;
  readonly sent: SentRecord;
  readonly pageSize: number;
}

export interface Sending {
  readonly ref: LTXFileRef;
  readonly source: SeedSource;
  readonly files: FileSystem;
  readonly reads: SharedReads;
  readonly onBytes: () => void;
  /** Something about the conditional writes of the destination was found out. */
  readonly onFound: (level: 'warn' | 'debug', message: string) => void;
  readonly signal: AbortSignal;
}

/**
 * A file of any level is written only where nobody wrote it before, as far as the destination can say:
 * a writer that was fenced out replaces neither increments nor snapshots. 'gone' where the staged file was freed before it was sent: a laggard's, beyond what may be staged.
 */
async function sendFile(
  replica: FencedReplica,
  { ref, source, files, reads, onBytes, onFound, signal }: Sending,
): Promise<Written | 'gone'> {
  try {
    using whole = await reads.read(source);
    const { body, checksum, header } = await bodyAs(ref, source, {
      files,
      whole: whole?.bytes,
      onBytes,
    });
    const info = await writeFenced(replica, { file: ref, body, onFound, signal });
    const { nodeID: lineage, pageSize } = header;
    const sent = { txid: ref.maxTXID, sizeBytes: body.sizeBytes, checksum, lineage };
    return { info, sent, pageSize };
  } catch (error) {
    if (signal.aborted || (await isThere(files, source.path))) throw error;
    return 'gone';
  }
}

/** True where it cannot be seen: then the error that led here is the one to report. */
async function isThere(files: FileSystem, path: string): Promise<boolean> {
  try {
    return (await files.stat(path)) !== undefined;
  } catch {
    return true;
  }
}

// --- the log line of a full snapshot: "full snapshot sent: 210 MiB in 12 s" ---

export class SentSnapshot {
  readonly #beganAt: number;
  readonly #clock: Pick<Clock, 'monotonic'>;
  #sizeBytes = 0;

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
    this.#beganAt = clock.monotonic();
  }

  add(sizeBytes: number): void {
    this.#sizeBytes += sizeBytes;
  }

  describe(): string {
    const seconds = (this.#clock.monotonic() - this.#beganAt) / 1_000;
    const rounded = Number(seconds.toFixed(seconds < 10 ? 1 : 0));
    return `full snapshot sent: ${formatBytes(this.#sizeBytes)} in ${rounded} s`;
  }
}
