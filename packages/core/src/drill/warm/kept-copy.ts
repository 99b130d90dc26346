/**
 * The copy that a drill leaves for the next one, in a folder of its own:
 *
 *  copy.db    the restored database
 *  copy.json  which state it is, and its SHA-256
 *
 * It is used if and only if the folder and the file belong to this user alone, the file is a file with one name,
 * and its bytes have that size and SHA-256. So no crash and no other program can make it wrong unnoticed, and
 * nothing has to be durable. The record is removed before the file changes.
 */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { isMissing, readText, replaceText, systemFiles } from '../../file-system.ts';
import { formatTXID, parseTXID } from '../../ltx/txid.ts';

/** A verified state of a destination. */
export interface CopyState {
  readonly txid: bigint;
  readonly lineage: bigint;
  readonly pageSize: number;
  /** Drills since the last full restore. */
  readonly warmDrills: number;
}

export interface KeptCopy extends CopyState {
  readonly file: string;
  readonly sizeBytes: number;
}

const VERSION = 1;
const CHUNK_BYTES: number = 1024 * 1024;
const SIDE_FILES = ['-wal', '-shm', '-journal'] as const;

const fileOf = (folder: string): string => path.join(folder, 'copy.db');
const recordOf = (folder: string): string => path.join(folder, 'copy.json');

/** Takes the copy out of the folder's record. undefined if there is none, or if anything about it is doubtful. */
export async function takeCopy(folder: string, signal: AbortSignal): Promise<KeptCopy | undefined> {
  if (!isPrivateFolder(folder)) return undefined;
  const record = parseRecord(await readText(systemFiles, recordOf(folder)));
  if (record === undefined) return undefined;
  const { sha256, ...copy } = record;
  const file = fileOf(folder);
  if (!isOwnFile(file, copy.sizeBytes)) return undefined;
  if ((await hashFile(file, signal)) !== sha256) return undefined;
  await fs.promises.rm(recordOf(folder));
  await removeSideFiles(file);
  return { ...copy, file };
}

/** Moves a restored file into the folder, or leaves the copy there, and records its state. */
export async function keepCopy(
  folder: string,
  restored: string,
  state: CopyState,
  signal: AbortSignal,
): Promise<void> {
  const file = fileOf(folder);
  if (restored !== file) {
    await discardCopy(folder);
    await fs.promises.mkdir(folder, { mode: 0o700 });
    await fs.promises.rename(restored, file);
  }
  await removeSideFiles(file);
  const sha256 = await hashFile(file, signal);
  const { txid, lineage, pageSize, warmDrills } = state;
  const { size: sizeBytes } = await fs.promises.lstat(file);
  const numbers = { pageSize, warmDrills, sizeBytes };
  const record = { txid: formatTXID(txid), lineage: lineage.toString(16), ...numbers, sha256 };
  const text = `${JSON.stringify({ version: VERSION, ...record }, undefined, 2)}\n`;
  await replaceText(systemFiles, recordOf(folder), text);
}

/** Removes the folder with everything in it, or a link that has its name. */
export async function discardCopy(folder: string): Promise<void> {
  await fs.promises.rm(folder, { recursive: true, force: true, maxRetries: 3 });
}

/** The system's temporary folder is shared: another user may have created the name. */
function isPrivateFolder(folder: string): boolean {
  const stats = statOf(folder);
  return stats?.isDirectory() === true && isOwn(stats) && (stats.mode & 0o077) === 0;
}

/** A second name, or a symbolic link, could be the live database. */
function isOwnFile(file: string, sizeBytes: number): boolean {
  const stats = statOf(file);
  if (stats?.isFile() !== true || stats.nlink !== 1) return false;
  return isOwn(stats) && stats.size === sizeBytes;
}

function isOwn({ uid }: fs.Stats): boolean {
  return process.geteuid === undefined || uid === process.geteuid();
}

function statOf(at: string): fs.Stats | undefined {
  try {
    return fs.lstatSync(at);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** A log beside the copy would change what SQLite reads. */
async function removeSideFiles(file: string): Promise<void> {
  for (const side of SIDE_FILES) await fs.promises.rm(file + side, { force: true });
}

async function hashFile(file: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  const stream = fs.createReadStream(file, { highWaterMark: CHUNK_BYTES, signal });
  for await (const chunk of stream) hash.update(chunk as Uint8Array);
  return hash.digest('hex');
}

type Parsed = Omit<KeptCopy, 'file'> & { readonly sha256: string };

/** undefined if the record is missing, torn, or of another version. */
function parseRecord(text: string | undefined): Parsed | undefined {
  if (text === undefined) return undefined;
  try {
    const value = JSON.parse(text) as Record<string, unknown>;
    const { version, txid, lineage, pageSize, sizeBytes, warmDrills, sha256 } = value;
    if (version !== VERSION || typeof lineage !== 'string' || typeof sha256 !== 'string') {
      return undefined;
    }
    const numbers = [pageSize, sizeBytes, warmDrills].map(toCount);
    const [page = 0, size = 0, warm = 0] = numbers;
    if (page === 0 || size === 0 || size % page !== 0) return undefined;
    const state = { txid: parseTXID(String(txid)), lineage: BigInt(`0x${lineage}`) };
    return { ...state, pageSize: page, sizeBytes: size, warmDrills: warm, sha256 };
  } catch {
    return undefined; // torn by a power loss
  }
}

function toCount(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new Error(`${String(value)} is not a count`);
}
