/** Reads and writes the owner object of a destination. */

import { isError, ReplicationError } from '../../error.ts';
import type { NamedObjects } from '../../replica/named-objects.ts';
import { readBytes } from '../../store/body.ts';
import type { Capabilities, PutOptions } from '../../store/client.ts';
import {
  formatOwner,
  OWNER_BYTES_MAX,
  OWNER_NAME,
  parseOwner,
  type Owner,
  type OwnerText,
} from './owner.ts';

/** The named objects of a replica. */
export type OwnerObjects = Pick<NamedObjects, 'get' | 'put' | 'delete'>;

/** The owner object as it was read. */
export interface Found {
  /** undefined: there is none. */
  readonly owner: OwnerText | undefined;
  readonly version: string | undefined;
}

const NONE: Found = { owner: undefined, version: undefined };

export async function readOwner(objects: OwnerObjects, signal?: AbortSignal): Promise<Found> {
  try {
    const { body, version } = await objects.get(OWNER_NAME, { signal });
    return { owner: await parseBody(body), version };
  } catch (error) {
    if (isError(error, 'REPLICA_NOT_FOUND') || isError(error, 'REPLICA_DESTINATION_NOT_FOUND'))
      return NONE;
    throw error;
  }
}

async function parseBody(body: AsyncIterable<Uint8Array>): Promise<OwnerText> {
  try {
    const bytes = await readBytes(body, OWNER_BYTES_MAX);
    return parseOwner(Buffer.from(bytes).toString('utf8'));
  } catch (error) {
    if (isError(error, 'LTX_INVALID')) return 'damaged'; // larger than any of ours
    throw error;
  }
}

/** The condition that nobody else has written the object since. */
export function conditionFor(
  { owner, version }: Found,
  { conditions, versions }: Capabilities,
): PutOptions['condition'] {
  if (conditions === undefined) return undefined;
  if (owner === undefined) return 'if-absent';
  return versions === true && version !== undefined ? { version } : undefined;
}

/**
 * Writes the object without a fallback, and returns its version. REPLICA_CONFLICT if it was written by somebody
 * else before or right after.
 */
export async function writeExactly(
  objects: OwnerObjects,
  owner: Owner,
  { condition, signal }: Pick<PutOptions, 'condition' | 'signal'>,
): Promise<string> {
  const { version } = await objects.put(OWNER_NAME, toBytes(owner), { condition, signal });
  if (version !== undefined) return version;
  const found = await readOwner(objects, signal);
  const isOurs = typeof found.owner === 'object' && found.owner.run === owner.run;
  if (isOurs && found.version !== undefined) return found.version;
  const what = isOurs ? 'the server reports no version of it' : 'it was replaced right after';
  throw new ReplicationError('REPLICA_CONFLICT', `write ${OWNER_NAME}: ${what}`);
}

/** A server may refuse conditions that it is expected to support (replica/fencing.ts). */
export async function writeOwner(
  objects: OwnerObjects,
  owner: Owner,
  { condition, signal }: Pick<PutOptions, 'condition' | 'signal'>,
): Promise<void> {
  const bytes = toBytes(owner);
  try {
    await objects.put(OWNER_NAME, bytes, { condition, signal });
  } catch (error) {
    if (condition === undefined || !isError(error, 'REPLICA_UNSUPPORTED')) throw error;
    await objects.put(OWNER_NAME, bytes, { signal });
  }
}

export function toBytes(owner: Owner): Uint8Array {
  return Buffer.from(formatOwner(owner));
}

/** Whether two reads found the same. */
export function isSame(a: Found, b: Found): boolean {
  return a.version === b.version && runOf(a.owner) === runOf(b.owner);
}

export function runOf(owner: Found['owner']): string | undefined {
  return typeof owner === 'object' ? owner.run : owner;
}
