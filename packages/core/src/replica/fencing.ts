/**
 * The light form of a check, within replication: whether level 0 is fenced at a destination. It
 * costs one request in the life of a connection: the first small file of level 0 is written a second
 * time with 'if-absent', which must be refused. Where a condition is not known to the server, the
 * file is written without.
 *
 *  small files   large files   what was seen
 *  unproved      claimed       nothing yet: conditions are sent as the destination claims them
 *  honoured      claimed       the second write was refused
 *  off           off           the second write was done (ignored), or a small one was refused (501)
 *  any           off           a large one was refused
 */

import { isError, messageOf } from '../error.ts';
import type { Capabilities, ObjectBody } from '../store/client.ts';
import type { LTXFileRef } from '../store/layout.ts';
import type { LTXFileInfo, ReplicaFiles, SignalOptions } from './replica.ts';

export const CONDITIONS_IGNORED =
  'conditional writes are ignored by this server: fencing is off' as const;
export const CONDITIONS_REFUSED =
  'conditional writes are not known to this server: fencing is off' as const;

/** Small: goes in one request at every destination, and may be sent twice without regret. */
const SMALL_BYTES_MAX = 1_048_576;
/** A proof that fails for another reason is tried again with the next files, so often. */
const PROOFS_MAX = 3;

/** As it is told: what a second replicator of the same place would meet. */
export type FencingState =
  /** No small file has been written over this connection yet. */
  | 'unproved'
  | 'honoured'
  /** Large files are written without a condition. */
  | 'small files only'
  /** Conditions are ignored or not known there. */
  | 'off'
  /** The destination is not known to honour them. */
  | 'not claimed';

/** What is known of a destination's conditional writes: one for all of its replicas. */
export class Fencing {
  #small: 'unproved' | 'honoured' | 'off' = 'unproved';
  #large: 'claimed' | 'off' = 'claimed';
  #proofs = 0;
  #isProving = false;

  stateFor({ conditions }: Capabilities): FencingState {
    if (conditions === undefined) return 'not claimed';
    if (this.#small !== 'honoured') return this.#small;
    return this.#large === 'off' ? 'small files only' : 'honoured';
  }

  conditionFor({ conditions }: Capabilities, sizeBytes: number): 'if-absent' | undefined {
    if (conditions === undefined) return undefined;
    if (conditions !== 'any-size' && sizeBytes > conditions.sizeMax) return undefined;
    const isOff = isSmall(sizeBytes) ? this.#small === 'off' : this.#large === 'off';
    return isOff ? undefined : 'if-absent';
  }

  /** Whether the caller must prove it, with a file of this size, and call `proved`. */
  takeProof(sizeBytes: number): boolean {
    const isOver = this.#small !== 'unproved' || this.#proofs >= PROOFS_MAX;
    if (isOver || this.#isProving || !isSmall(sizeBytes)) return false;
    this.#proofs += 1;
    this.#isProving = true;
    return true;
  }

  proved(seen: 'honoured' | 'ignored' | 'nothing'): void {
    this.#isProving = false;
    if (seen === 'honoured') this.#small = 'honoured';
    if (seen === 'ignored') this.off(0);
  }

  /** Writes of this size go without. 'new' where that was not known before, and is worth a word. */
  off(sizeBytes: number): 'new' | 'known' {
    const before = [this.#small, this.#large].join();
    this.#large = 'off';
    if (isSmall(sizeBytes)) this.#small = 'off';
    return before === [this.#small, this.#large].join() ? 'known' : 'new';
  }
}

function isSmall(sizeBytes: number): boolean {
  return sizeBytes <= SMALL_BYTES_MAX;
}

export interface FencedReplica {
  readonly client: ReplicaFiles;
  readonly capabilities: Capabilities;
  readonly fencing: Fencing;
  /** The same files, whose conflicts come as they are. Without it nothing is proved. */
  readonly unsettled?: ReplicaFiles | undefined;
}

export interface FencedWrite extends SignalOptions {
  readonly file: LTXFileRef;
  readonly body: ObjectBody;
  /** Told once for each thing that is found out. */
  readonly onFound: (level: 'warn' | 'debug', message: string) => void;
}

/** Writes a file that nobody may have written before, as far as the destination can say. */
export async function writeFenced(
  replica: FencedReplica,
  { file, body, onFound, signal }: FencedWrite,
): Promise<LTXFileInfo> {
  const { client, capabilities, fencing } = replica;
  const condition = fencing.conditionFor(capabilities, body.sizeBytes);
  let info: LTXFileInfo;
  try {
    info = await client.writeFile(file, body, { condition, signal });
  } catch (error) {
    if (condition === undefined || !isError(error, 'REPLICA_UNSUPPORTED')) throw error;
    // If it is not the condition that is not known, this ends in the same error.
    info = await client.writeFile(file, body, { signal });
    if (fencing.off(body.sizeBytes) === 'new') {
      onFound('warn', `${CONDITIONS_REFUSED}${only(body)}: ${messageOf(error)}`);
    }
    return info;
  }
  if (condition === 'if-absent') await prove(replica, { file, body, onFound, signal });
  return info;
}

async function prove(
  { unsettled, fencing }: FencedReplica,
  { file, body, onFound, signal }: FencedWrite,
): Promise<void> {
  if (unsettled === undefined || !fencing.takeProof(body.sizeBytes)) return;
  let seen: Parameters<Fencing['proved']>[0] = 'nothing';
  try {
    await unsettled.writeFile(file, body, { condition: 'if-absent', signal });
    seen = 'ignored';
    onFound('warn', `${CONDITIONS_IGNORED}; ${ONE_WRITER}`);
  } catch (error) {
    signal?.throwIfAborted();
    if (isError(error, 'REPLICA_CONFLICT')) seen = 'honoured';
    // The file is there; only whether it is fenced is not known. The next one may tell.
    else onFound('debug', `whether it is fenced could not be seen: ${messageOf(error)}`);
  } finally {
    fencing.proved(seen);
  }
}

const ONE_WRITER = 'see that never two replicators write to one place';

function only({ sizeBytes }: ObjectBody): string {
  return isSmall(sizeBytes) ? `; ${ONE_WRITER}` : ` for large files; ${ONE_WRITER}`;
}
