/**
 * `sluice-owner.json` beside the LTX files of a replica: who writes there. Litestream ignores it.
 *
 *  format    1; a higher one is of a later version
 *  id        drawn once for a staging folder: 16 hex digits
 *  run       drawn by each run of a replicator: 16 hex digits. It also makes each write of the object unique
 *  epoch     higher than that of the owner before. A run that finds a higher one has lost the replica
 *  host      name of the machine
 *  machine   hash of the machine's own ID; missing if it has none
 *  path      the database on that machine
 *  pid, since, txid   for messages: the process, and when and at which TXID it became the owner, or renewed its lease
 *  lease     missing if it holds none: `ttlMs`, for how long after a renewal it may write; `renewals`, higher with
 *            each write; `state`, "held" or "released"
 *
 * The object is valid if and only if all fields but `machine` and `lease` are present, and all have these types.
 */

/** Name of the object below the path of the replica. */
export const OWNER_NAME = 'sluice-owner.json';
/** Maximum size of the object; ours has less than 1 KiB plus the path. */
export const OWNER_BYTES_MAX = 65_536;

const FORMAT = 1;

/** A machine and a database on it. */
export interface Place {
  readonly host: string;
  /** undefined if the machine has no ID of its own, as in most containers. */
  readonly machine: string | undefined;
  readonly path: string;
}

export interface Lease {
  readonly ttlMs: number;
  readonly renewals: number;
  readonly state: 'held' | 'released';
}

export interface Owner extends Place {
  readonly id: string;
  readonly run: string;
  readonly epoch: number;
  readonly pid: number;
  /** ISO 8601, UTC, by the clock of that machine. */
  readonly since: string;
  /** 0n if the replica was empty. */
  readonly txid: bigint;
  readonly lease?: Lease | undefined;
}

export function formatOwner(owner: Owner): string {
  const { txid, ...rest } = owner;
  const object = { format: FORMAT, ...rest, txid: txid.toString(16).padStart(16, '0') };
  return `${JSON.stringify(object, undefined, 2)}\n`;
}

/** An owner object that was read. 'newer': it has the format of a later version of Sluice. */
export type OwnerText = Owner | 'newer' | 'damaged';

export function parseOwner(text: string): OwnerText {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'damaged';
  }
  if (typeof value !== 'object' || value === null) return 'damaged';
  const { format, id, run, epoch, host, machine, path, pid, since, txid, lease } =
    value as Readonly<Record<string, unknown>>;
  if (isCount(format) && format > FORMAT) return 'newer';
  const isValid =
    format === FORMAT &&
    isHex(id) &&
    isHex(run) &&
    isHex(txid) &&
    isCount(epoch) &&
    isCount(pid) &&
    typeof host === 'string' &&
    typeof path === 'string' &&
    typeof since === 'string' &&
    (machine === undefined || typeof machine === 'string') &&
    (lease === undefined || isLease(lease));
  if (!isValid) return 'damaged';
  const owner = { id, run, epoch, host, machine, path, pid, since, txid: BigInt(`0x${txid}`) };
  return lease === undefined ? owner : { ...owner, lease };
}

/** For messages: "/data/app.db on web1 (process 7), since 2026-01-31T14:00:00.000Z". */
export function describeOwner({ path, host, pid, since }: Owner): string {
  return `${path} on ${host} (process ${pid}), the owner since ${since}`;
}

function isLease(value: unknown): value is Lease {
  if (typeof value !== 'object' || value === null) return false;
  const { ttlMs, renewals, state } = value as Readonly<Record<string, unknown>>;
  return isCount(ttlMs) && isCount(renewals) && (state === 'held' || state === 'released');
}

function isHex(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{16}$/.test(value);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
