/**
 * An in-memory file system that tracks durability: `sync` makes the bytes of a file durable, and
 * `syncFolder` the names in a folder. A crash keeps durable data, and a random part of the rest.
 *
 * Renames are atomic. After a crash, any combination of names that were not durable may survive, and
 * bytes that were not durable may survive in part.
 */

import path from 'node:path';
import type {
  FileStat,
  FileSystem,
  ScratchFile,
  StoredFile,
  Volume,
  WritableFile,
} from '../../src/file-system.ts';
import type { Random } from './random.ts';

interface FileNode {
  readonly kind: 'file';
  bytes: Uint8Array;
  /** Contents at the last sync. */
  durable: Uint8Array;
}

interface FolderNode {
  readonly kind: 'folder';
  names: Map<string, Node>;
  durable: Map<string, Node>;
}

type Node = FileNode | FolderNode;

/** An atomic change of names. `node` is undefined for a removed name. */
type Change = readonly {
  readonly folder: FolderNode;
  readonly name: string;
  readonly node: Node | undefined;
}[];

export interface MemoryFilesOptions {
  readonly volumeBytes?: number;
  /** Called before each call takes effect. An error that it throws is thrown by the call. */
  readonly before?: (call: string, at: string) => void;
}

const VOLUME_BYTES = 2 ** 40;

export class MemoryFiles implements FileSystem {
  readonly #options: MemoryFilesOptions;
  readonly #root: FolderNode = newFolder();
  #pending: Change[] = [];
  /** Number of crashes. Handles opened before the last crash are invalid. */
  #boot = 0;

  constructor(options: MemoryFilesOptions = {}) {
    this.#options = options;
  }

  /** Simulates a power loss. Without `random`, only durable data survives. */
  crash(random?: Random): void {
    this.#boot += 1;
    for (const change of this.#pending) if (random?.chance(0.5)) applyTo('durable', change);
    this.#pending = [];
    dropVolatile(this.#root, random);
  }

  async open(file: string): Promise<StoredFile> {
    this.#before('open', file);
    const node = this.#require(file, 'open');
    const requireValid = this.#newHandle('open', file);
    return {
      async readFully(into, position) {
        requireValid();
        if (node.kind === 'folder') throw systemError('EISDIR', 'read', file);
        return copyInto(into, node.bytes, position);
      },
      sizeBytes: async () => sizeOf(node),
      async close() {},
    };
  }

  async create(file: string): Promise<WritableFile> {
    this.#before('create', file);
    const node = this.#make(file);
    const requireValid = this.#newHandle('write', file);
    return {
      append: async (bytes) => {
        requireValid();
        this.#before('append', file);
        this.#requireRoom(bytes.length, file);
        node.bytes = Buffer.concat([node.bytes, bytes]);
      },
      sync: async () => {
        requireValid();
        this.#before('sync', file);
        node.durable = node.bytes;
      },
      async close() {},
    };
  }

  scratch(file: string): ScratchFile {
    this.#before('scratch', file);
    const node = this.#make(file);
    return {
      write: (bytes, position) => {
        this.#requireRoom(Math.max(0, position + bytes.length - node.bytes.length), file);
        const grown = new Uint8Array(Math.max(node.bytes.length, position + bytes.length));
        grown.set(node.bytes);
        grown.set(bytes, position);
        node.bytes = grown;
      },
      read: (into, position) => copyInto(into, node.bytes, position),
      discard: () => {
        if (this.#find(file) === node) this.#unlink(file);
      },
    };
  }

  async makeFolder(folder: string): Promise<void> {
    this.#before('makeFolder', folder);
    const parent = this.#parentOf(folder, 'mkdir');
    const name = path.basename(folder);
    if (name === '' || parent.names.has(name)) throw systemError('EEXIST', 'mkdir', folder);
    this.#change([{ folder: parent, name, node: newFolder() }]);
  }

  async list(folder: string): Promise<string[]> {
    this.#before('list', folder);
    return [...this.#requireFolder(folder, 'scandir').names.keys()].sort();
  }

  async stat(at: string): Promise<FileStat | undefined> {
    this.#before('stat', at);
    const node = this.#find(at);
    return node && { kind: node.kind, sizeBytes: sizeOf(node) };
  }

  async rename(from: string, to: string): Promise<void> {
    this.#before('rename', from);
    const node = this.#require(from, 'rename');
    const target = this.#parentOf(to, 'rename');
    const replaced = target.names.get(path.basename(to));
    if (replaced?.kind === 'folder' && node.kind === 'file')
      throw systemError('EISDIR', 'rename', to);
    this.#change([
      { folder: this.#parentOf(from, 'rename'), name: path.basename(from), node: undefined },
      { folder: target, name: path.basename(to), node },
    ]);
  }

  async remove(at: string): Promise<void> {
    this.#before('remove', at);
    if (this.#find(at) !== undefined) this.#unlink(at);
  }

  async syncFolder(folder: string): Promise<void> {
    this.#before('syncFolder', folder);
    const node = this.#requireFolder(folder, 'open');
    const concerns = (change: Change): boolean => change.some((each) => each.folder === node);
    for (const change of this.#pending) if (concerns(change)) applyTo('durable', change);
    this.#pending = this.#pending.filter((change) => !concerns(change));
  }

  async volume(folder: string): Promise<Volume> {
    this.#before('volume', folder);
    this.#requireFolder(folder, 'statfs');
    const sizeBytes = this.#options.volumeBytes ?? VOLUME_BYTES;
    return { sizeBytes, availableBytes: sizeBytes - usedBy(this.#root) };
  }

  #before(call: string, at: string): void {
    this.#options.before?.(call, at);
  }

  #newHandle(call: string, file: string): () => void {
    const boot = this.#boot;
    return () => {
      if (boot !== this.#boot) throw systemError('EIO', call, file);
    };
  }

  #make(file: string): FileNode {
    const folder = this.#parentOf(file, 'open');
    const name = path.basename(file);
    const found = folder.names.get(name);
    if (found?.kind === 'folder') throw systemError('EISDIR', 'open', file);
    if (found !== undefined) {
      found.bytes = new Uint8Array(0);
      return found;
    }
    const node: FileNode = { kind: 'file', bytes: new Uint8Array(0), durable: new Uint8Array(0) };
    this.#change([{ folder, name, node }]);
    return node;
  }

  #unlink(at: string): void {
    const folder = this.#parentOf(at, 'unlink');
    this.#change([{ folder, name: path.basename(at), node: undefined }]);
  }

  #change(change: Change): void {
    applyTo('names', change);
    this.#pending.push(change);
  }

  #requireRoom(more: number, file: string): void {
    const sizeBytes = this.#options.volumeBytes ?? VOLUME_BYTES;
    if (usedBy(this.#root) + more > sizeBytes) throw systemError('ENOSPC', 'write', file);
  }

  #find(at: string): Node | undefined {
    let node: Node = this.#root;
    for (const name of path.resolve('/', at).split('/').filter(Boolean)) {
      if (node.kind === 'file') return undefined;
      const next = node.names.get(name);
      if (next === undefined) return undefined;
      node = next;
    }
    return node;
  }

  #require(at: string, call: string): Node {
    const node = this.#find(at);
    if (node === undefined) throw systemError('ENOENT', call, at);
    return node;
  }

  #requireFolder(at: string, call: string): FolderNode {
    const node = this.#require(at, call);
    if (node.kind === 'file') throw systemError('ENOTDIR', call, at);
    return node;
  }

  #parentOf(at: string, call: string): FolderNode {
    return this.#requireFolder(path.dirname(path.resolve('/', at)), call);
  }
}

function newFolder(): FolderNode {
  return { kind: 'folder', names: new Map(), durable: new Map() };
}

function applyTo(side: 'names' | 'durable', change: Change): void {
  for (const { folder, name, node } of change) {
    if (node === undefined) folder[side].delete(name);
    else folder[side].set(name, node);
  }
}

function dropVolatile(node: Node, random: Random | undefined): void {
  if (node.kind === 'file') {
    const { bytes, durable } = node;
    const isLonger = bytes.length > durable.length;
    const survives = isLonger && random !== undefined ? random.int(0, bytes.length) : 0;
    node.bytes = survives > durable.length ? bytes.slice(0, survives) : durable;
    node.durable = node.bytes;
    return;
  }
  node.names = new Map(node.durable);
  for (const each of node.names.values()) dropVolatile(each, random);
}

function sizeOf(node: Node): number {
  return node.kind === 'file' ? node.bytes.length : 0;
}

function usedBy(node: Node): number {
  if (node.kind === 'file') return node.bytes.length;
  return [...node.names.values()].reduce((sum, each) => sum + usedBy(each), 0);
}

function copyInto(into: Uint8Array, bytes: Uint8Array, position: number): number {
  const part = bytes.subarray(position, position + into.length);
  into.set(part);
  return part.length;
}

function systemError(code: string, call: string, at: string): Error {
  return Object.assign(new Error(`${code}: ${call} '${at}'`), { code });
}
