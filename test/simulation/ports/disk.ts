/**
 * The file system of the staging folder, as one simulated process sees it. The bytes and names are in
 * memory (`MemoryFiles`), where a power loss drops what was not synced. Calls may be slow, may fail
 * with ENOSPC or EIO, and a write that fails may have written a part.
 */

import path from 'node:path';
import {
  makeFolders,
  type FileSystem,
  type ScratchFile,
  type StoredFile,
  type WritableFile,
} from '../../../packages/core/src/file-system.ts';
import { MemoryFiles } from '../../../packages/core/test/support/memory-file-system.ts';
import type { Random } from '../../../packages/core/test/support/random.ts';
import type { SimulatedProcess } from './process.ts';

export type DiskCondition = 'works' | 'full' | 'broken' | 'flaky';

const VOLUME_BYTES = 2 ** 34;
const FLAKY_CHANCE = 0.15;
/** Calls that need space. */
const NEEDS_SPACE: ReadonlySet<string> = new Set(['create', 'append', 'scratch', 'makeFolder']);

/** The disk. It outlives the processes that use it. */
export class Disk {
  condition: DiskCondition = 'works';
  /** Called after a file was renamed, or put back. */
  onNamed: (file: string, bytes: Uint8Array) => void = () => undefined;
  readonly #random: Random;
  readonly #files: MemoryFiles = new MemoryFiles({ volumeBytes: VOLUME_BYTES });
  readonly #staging: string;
  /** An older copy of the staging folder: contents by path. */
  #copy: ReadonlyMap<string, Uint8Array> = new Map();

  /** `staging`: the staging folder. */
  constructor(random: Random, staging: string) {
    this.#random = random;
    this.#staging = staging;
  }

  /** Creates the staging folder, as the lock does that it contains. */
  async prepare(): Promise<void> {
    await makeFolders(this.#files, this.#staging);
  }

  async keepCopy(): Promise<void> {
    this.#copy = await this.#read(this.#staging);
  }

  /** Removes some or all staged files, or puts an older copy of the folder in its place. */
  async loseFiles(): Promise<string> {
    const how = this.#random.pick(['some', 'all', 'put back'] as const);
    const kept = how === 'put back' ? this.#copy : await this.#read(this.#staging);
    await this.#files.remove(this.#staging);
    await this.prepare();
    for (const [file, bytes] of kept) {
      if (how === 'all' || (how === 'some' && this.#random.chance(0.3))) continue;
      await this.#write(file, bytes);
      this.onNamed(file, bytes);
    }
    return how === 'put back' ? 'an older copy was put back' : `${how} of them`;
  }

  get files(): MemoryFiles {
    return this.#files;
  }

  powerLoss(): void {
    this.#files.crash(this.#random);
  }

  /** An error for this call, if it fails. */
  nextFault(call: string): Error | undefined {
    const code = this.#nextCode(call);
    if (code === undefined) return undefined;
    return Object.assign(new Error(`${code}: ${call}`), { code, syscall: call });
  }

  /** How much of a write that fails is written. */
  partOf(sizeBytes: number): number {
    return this.#random.int(0, sizeBytes);
  }

  async #read(folder: string): Promise<Map<string, Uint8Array>> {
    const found = new Map<string, Uint8Array>();
    for (const name of await this.#files.list(folder)) {
      const at = path.join(folder, name);
      if ((await this.#files.stat(at))?.kind === 'folder') {
        for (const [file, bytes] of await this.#read(at)) found.set(file, bytes);
        continue;
      }
      found.set(at, await this.read(at));
    }
    return found;
  }

  async read(file: string): Promise<Uint8Array> {
    const handle = await this.#files.open(file);
    const bytes = new Uint8Array(await handle.sizeBytes());
    await handle.readFully(bytes, 0);
    return bytes;
  }

  async #write(file: string, bytes: Uint8Array): Promise<void> {
    await makeFolders(this.#files, path.dirname(file));
    const handle = await this.#files.create(file);
    await handle.append(bytes);
    await handle.sync();
    await this.#files.syncFolder(path.dirname(file));
  }

  #nextCode(call: string): string | undefined {
    switch (this.condition) {
      case 'works':
        return undefined;
      case 'full':
        return NEEDS_SPACE.has(call) ? 'ENOSPC' : undefined;
      case 'broken':
        return 'EIO';
      case 'flaky':
        if (!this.#random.chance(FLAKY_CHANCE)) return undefined;
        return NEEDS_SPACE.has(call) && this.#random.chance(0.5) ? 'ENOSPC' : 'EIO';
    }
  }
}

/** The disk, as `process` sees it. */
export function filesOf(disk: Disk, process: SimulatedProcess): FileSystem {
  const { files } = disk;
  const call = async <T>(name: string, at: string, work: () => Promise<T>): Promise<T> => {
    await process.enter(`${name} ${at}`);
    const fault = disk.nextFault(name);
    if (fault !== undefined) throw fault;
    const result = await work();
    await process.unlessDead();
    return result;
  };
  return {
    async open(file): Promise<StoredFile> {
      const handle = await call('open', file, () => files.open(file));
      return {
        readFully: (into, position) => call('read', file, () => handle.readFully(into, position)),
        sizeBytes: () => handle.sizeBytes(),
        close: () => handle.close(),
      };
    },
    async create(file): Promise<WritableFile> {
      const handle = await call('create', file, () => files.create(file));
      return {
        async append(bytes) {
          await process.enter(`append ${file}`);
          const fault = disk.nextFault('append');
          if (fault === undefined) await handle.append(bytes);
          else await handle.append(bytes.subarray(0, disk.partOf(bytes.length)));
          await process.unlessDead();
          if (fault !== undefined) throw fault;
        },
        sync: () => call('sync', file, () => handle.sync()),
        close: () => handle.close(),
      };
    },
    scratch(file): ScratchFile {
      const fault = disk.nextFault('scratch');
      if (fault !== undefined) throw fault;
      return files.scratch(file);
    },
    makeFolder: (folder) => call('makeFolder', folder, () => files.makeFolder(folder)),
    list: (folder) => call('list', folder, () => files.list(folder)),
    stat: (at) => call('stat', at, () => files.stat(at)),
    rename: (from, to) =>
      call('rename', from, async () => {
        await files.rename(from, to);
        disk.onNamed(to, await disk.read(to));
      }),
    remove: (at) => call('remove', at, () => files.remove(at)),
    syncFolder: (folder) => call('syncFolder', folder, () => files.syncFolder(folder)),
    volume: (folder) => call('volume', folder, () => files.volume(folder)),
  };
}
