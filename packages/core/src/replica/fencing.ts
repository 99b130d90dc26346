/**
 * A small check during replication: whether a destination fences level 0. It costs one request per
 * connection: the first small file of level 0 is written again with 'if-absent', which must be refused.
 * If the server does not support a condition, the file is written without it.
 *
 *  small files   large files   observation
 *  unproved      claimed       none yet: conditions are sent as claimed by the destination
 *  honored      claimed       the second write was refused
 *  off           off           the second write was done (ignored), or a small write was unsupported (501)
 *  any           off           a large write was unsupported
 */

import { isError, messageOf } from '../error.ts';
import type { Capabilities, ObjectBody } from '../store/client.ts';
import type { LTXFileRef } from '../store/layout.ts';
import type { LTXFileInfo, ReplicaFiles, SignalOptions } from './replica.ts';

export const CONDITIONS_IGNORED = 'this server ignores conditional writes: fencing is off' as const;
export const CONDITIONS_REFUSED =
  'this server does not support conditional writes: fencing is off' as const;

/** Maximum size of a small file: every destination takes it in one request, and sending it twice is cheap. */
const SMALL_BYTES_MAX = 1_048_576;
/** Maximum number of proofs: one that fails for another reason is repeated with a later file. */
const PROOFS_MAX = 3;

/** The fencing of a destination against a second replicator, as reported. */
export type FencingState =
  /** No small file has been written over this connection yet. */
  | 'unproved'
  | 'honored'
  /** Large files are written without a condition. */
  | 'small files only'
  /** Conditions are ignored or not supported. */
  | 'off'
  /** The destination is not known to honor conditions. */
  | 'not claimed';

/** The known state of a destination's conditional writes, shared by all of its replicas. */
export class Fencing {
  #small: 'unproved' | 'honored' | 'off' = 'unproved';
  #large: 'claimed' | 'off' = 'claimed';
  #proofs = 0;
  #isProving = false;

  stateFor({ conditions }: Capabilities): FencingState {
    if (conditions === undefined) return 'not claimed';
    if (this.#small !== 'honored') return this.#small;
    return this.#large === 'off' ? 'small files only' : 'honored';
  }

  conditionFor({ conditions }: Capabilities, sizeBytes: number): 'if-absent' | undefined {
    if (conditions === undefined) return undefined;
    if (conditions !== 'any-size' && sizeBytes > conditions.sizeMax) return undefined;
    const isOff = isSmall(sizeBytes) ? this.#small === 'off' : this.#large === 'off';
    return isOff ? undefined : 'if-absent';
  }

  /** Whether the caller must do the proof with a file of this size, and then call `proved`. */
  takeProof(sizeBytes: number): boolean {
    const isOver = this.#small !== 'unproved' || this.#proofs >= PROOFS_MAX;
    if (isOver || this.#isProving || !isSmall(sizeBytes)) return false;
    this.#proofs += 1;
    this.#isProving = true;
    return true;
  }

  proved(seen: 'honored' | 'ignored' | 'nothing'): void {
    this.#isProving = false;
    if (seen === 'honored') this.#small = 'honored';
    if (seen === 'ignored') this.turnOff(0);
  }

  /** Turns conditions off for this size. Returns 'new' if they were on, so that the caller logs it once. */
  turnOff(sizeBytes: number): 'new' | 'known' {
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
  /** The same files, with every conflict reported. Without it there is no proof. */
  readonly unsettled?: ReplicaFiles | undefined;
  /** Aborted when an error escapes from the client. */
  readonly broken?: AbortSignal | undefined;
}

export interface FencedWrite extends SignalOptions {
  readonly file: LTXFileRef;
  readonly body: ObjectBody;
  /** Called once for each finding. */
  readonly onFound: (level: 'warn' | 'debug', message: string) => void;
}

/** Writes a file that must not exist yet, on condition if the destination supports it. */
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
    // If the condition is not the reason, this fails with the same error.
    info = await client.writeFile(file, body, { signal });
    if (fencing.turnOff(body.sizeBytes) === 'new') {
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
    if (isError(error, 'REPLICA_CONFLICT')) seen = 'honored';
    // The file was written; only the fencing is still unknown. A later file repeats the proof.
    else onFound('debug', `could not test conditional writes: ${messageOf(error)}`);
  } finally {
    fencing.proved(seen);
  }
}

const ONE_WRITER = 'make sure that only one replicator writes to this path';

function only({ sizeBytes }: ObjectBody): string {
  return isSmall(sizeBytes) ? `; ${ONE_WRITER}` : ` for large files; ${ONE_WRITER}`;
}
