/**
 * Identity of the replicator of a database, at this machine:
 *
 *  <meta>/id                    ID drawn at the first start, 16 hex digits
 *  <folder>/.<name>-sluice-id   JSON beside the database: `id`, the same, in case that the staging folder is removed;
 *                               `restored`: the backup from which this very file was restored, if it was
 *
 * `restored` counts only for the file that it was written for, by inode and time of birth: another file with its
 * name is not the restored one. It is void for a file that is copied to another machine. The number of a device
 * may change when a machine starts, so it counts only where the file system keeps no time of birth.
 */

import { createHash } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { isSystemError, toStagingError } from '../../database/staging/staging-error.ts';
import { readText, systemFiles, writeDurably, type FileSystem } from '../../file-system.ts';
import type { Random } from '../../random.ts';
import type { Place } from './owner.ts';
import type { RestoredFrom, Self } from './standing.ts';

/** Name and ID of a machine. */
export type Machine = Pick<Place, 'host' | 'machine'>;

export interface IdentityContext {
  /** The database. */
  readonly path: string;
  readonly metaPath: string;
  readonly files: FileSystem;
  readonly random: Random;
  readonly machine: Machine;
  /** The file beside the database could not be written; the one in the staging folder was. */
  readonly onProblem: (error: unknown) => void;
}

/** One per run and database. */
export class Identity {
  readonly #context: IdentityContext;
  readonly #run: string;
  #loading: Promise<string> | undefined;

  constructor(context: IdentityContext) {
    this.#context = context;
    this.#run = toHex(context.random.bits64());
  }

  /** STAGING_FAILED or STAGING_FULL if the ID can neither be read nor written. */
  async self(): Promise<Self> {
    const { path: database, machine, files } = this.#context;
    this.#loading ??= this.#load();
    const loading = this.#loading;
    try {
      const id = await loading;
      const { restored } = await readBeside(files, database);
      return {
        id,
        run: this.#run,
        path: database,
        ...machine,
        restored: current(restored, database),
      };
    } catch (error) {
      if (this.#loading === loading) this.#loading = undefined; // the next call tries again
      throw toStagingError(`read the identity of ${database}`, error);
    }
  }

  async #load(): Promise<string> {
    const { path: database, metaPath, files, random } = this.#context;
    const file = path.join(metaPath, 'id');
    const stored = (await readText(files, file))?.trim();
    const beside = await readBeside(files, database);
    const known = isHex(stored) ? stored : beside.id;
    const id = known ?? toHex(random.bits64());
    // Both must survive a power loss before a destination knows the ID: the staging folder may be lost later.
    if (beside.id !== id) await this.#keepBeside({ ...beside, id });
    if (stored !== id) await writeDurably(files, file, `${id}\n`);
    return id;
  }

  /** Without the right to write there, the staging folder alone has the ID. */
  async #keepBeside(beside: Beside): Promise<void> {
    const { files, path: database, onProblem } = this.#context;
    try {
      await writeBeside(files, database, beside);
    } catch (error) {
      if (!isDenied(error)) throw error;
      onProblem(error);
    }
  }
}

/** Records that the file at `database` was restored from a backup. */
export async function recordRestored(
  database: string,
  from: RestoredFrom,
  files: FileSystem = systemFiles,
): Promise<void> {
  const beside = await readBeside(files, database);
  const restored = { ...from, file: stampOf(database) };
  await writeBeside(files, database, { ...beside, restored });
}

/** Name and ID of this machine. */
export function thisMachine(): Machine {
  return { host: os.hostname(), machine: readMachineID() };
}

/** A hash: the ID itself is not to be published (machine-id(5)). */
function readMachineID(): string | undefined {
  let id: string;
  try {
    id = fs.readFileSync('/etc/machine-id', 'utf8').trim();
  } catch {
    return undefined; // not Linux, or a container
  }
  if (!/^[0-9a-f]{32}$/.test(id)) return undefined;
  return createHash('sha256').update(`sluice ${id}`).digest('hex').slice(0, 16);
}

// --- the file beside the database ---

interface FileStamp {
  readonly device: string;
  readonly inode: string;
  readonly bornAt: string;
}

/** Of a file system that does not keep it. */
const UNKNOWN_BIRTH = '0';

interface Beside {
  readonly id: string | undefined;
  readonly restored: (RestoredFrom & { readonly file: FileStamp | undefined }) | undefined;
}

function besideOf(database: string): string {
  return path.join(path.dirname(database), `.${path.basename(database)}-sluice-id`);
}

/** A file that is missing, torn, or of another user says nothing. */
async function readBeside(files: FileSystem, database: string): Promise<Beside> {
  let value: unknown;
  try {
    value = JSON.parse((await readText(files, besideOf(database))) ?? '');
  } catch (error) {
    if (isSystemError(error) && !isDenied(error)) throw error;
  }
  if (!isRecord(value)) return { id: undefined, restored: undefined };
  const { id, restored } = value;
  return { id: isHex(id) ? id : undefined, restored: parseRestored(restored) };
}

async function writeBeside(
  files: FileSystem,
  database: string,
  { id, restored }: Beside,
): Promise<void> {
  const object = { id, restored: restored && { ...restored, highest: toHex(restored.highest) } };
  // Readable for all: a restore may run as another user than the replicator.
  const text = `${JSON.stringify(object, undefined, 2)}\n`;
  await writeDurably(files, besideOf(database), text, 'shared');
}

function parseRestored(value: unknown): Beside['restored'] {
  if (!isRecord(value) || !isHex(value['owner']) || !isHex(value['highest'])) return undefined;
  const { owner, highest, file } = value;
  if (!isRecord(file)) return undefined;
  const { device, inode, bornAt } = file;
  if (![device, inode, bornAt].every((each) => typeof each === 'string')) return undefined;
  const stamp = { device, inode, bornAt } as FileStamp;
  return { owner, highest: BigInt(`0x${highest}`), file: stamp };
}

/** The backup, if the database is the file that was restored from it. */
function current(restored: Beside['restored'], database: string): RestoredFrom | undefined {
  if (restored?.file === undefined) return undefined;
  const stamp = stampOf(database);
  const isSame =
    stamp?.inode === restored.file.inode &&
    stamp.bornAt === restored.file.bornAt &&
    (stamp.bornAt !== UNKNOWN_BIRTH || stamp.device === restored.file.device);
  return isSame ? { owner: restored.owner, highest: restored.highest } : undefined;
}

function stampOf(file: string): FileStamp | undefined {
  const stats = fs.statSync(file, { bigint: true, throwIfNoEntry: false });
  if (stats === undefined) return undefined;
  const { dev, ino, birthtimeNs } = stats;
  return { device: String(dev), inode: String(ino), bornAt: String(birthtimeNs) };
}

function isDenied(error: unknown): boolean {
  const { code } = error as { readonly code?: unknown };
  return code === 'EACCES' || code === 'EPERM' || code === 'EROFS';
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function isHex(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{16}$/.test(value);
}

function toHex(value: bigint): string {
  return value.toString(16).padStart(16, '0');
}
