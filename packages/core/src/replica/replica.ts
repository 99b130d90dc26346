/** One database's LTX files and named objects at one destination: maps names to keys, over any client. */

import type { Encryption } from '../encryption/age.ts';
import { EncryptedClient } from '../encryption/encrypted-client.ts';
import type { TXID } from '../ltx/txid.ts';
import type {
  ByteRange,
  CallOptions,
  Capabilities,
  EmptyRoot,
  Layout,
  LocalFile,
  ObjectBody,
  ObjectInfo,
  OpenedObject,
  PutOptions,
  ReplicaClient,
} from '../store/client.ts';
import { describeReplica } from '../store/describe.ts';
import {
  allLevelsPrefix,
  keyOf,
  levelPrefix,
  parseKey,
  startAfterKey,
  type LTXFileRef,
} from '../store/layout.ts';
import { checkOtherLayouts, hasGenerations, type Generations } from './other-layouts.ts';
import { KeyProof } from './key-proof.ts';
import { NamedObjects } from './named-objects.ts';

/** An LTX file in a listing. */
export interface LTXFileInfo extends LTXFileRef {
  readonly sizeBytes: number;
  /** Time of the upload, by the server's clock. */
  readonly modifiedAt: Date;
  /** The time in the file's header, to the ms, if listings include it at no extra cost. */
  readonly createdAt?: Date | undefined;
}

export type SignalOptions = Pick<CallOptions, 'signal' | 'mayBegin'>;

export interface ListFilesOptions extends SignalOptions {
  /** Only files with minTXID >= from. */
  readonly from?: TXID | undefined;
  /** For a reader of an empty replica. Default 'refused': a backup of Litestream 0.3 is an error. */
  readonly generations?: Generations | undefined;
  /** See `ListOptions.emptyRoot`. */
  readonly emptyRoot?: EmptyRoot | undefined;
}

export interface OpenFileOptions extends SignalOptions {
  readonly range?: ByteRange | undefined;
  readonly version?: string | undefined;
}

export interface WriteFileOptions extends SignalOptions {
  /** Write only if the file does not exist, or only if it has this version; otherwise REPLICA_CONFLICT. */
  readonly condition?: PutOptions['condition'];
}

export interface ReplicaOptions {
  /** A reader that finds no files looks for backups in other layouts before it reports an empty replica. Default 'write'. */
  readonly access?: 'read' | 'write' | undefined;
}

/** The files of a destination that are stored encrypted. */
export interface EncryptedFiles {
  readonly encryption: Encryption;
  /** Whether they are files of this machine. */
  readonly isLocal: boolean;
  /** Whether this file is encrypted: files written before the destination had encryption are not. */
  isEncrypted(file: LTXFileInfo, options?: SignalOptions): Promise<boolean>;
  /** The last 8 bytes of the stored object, as 16 hex digits. Needs no identity. */
  readEnd(file: LTXFileInfo, options?: SignalOptions): Promise<string>;
}

/** The LTX files of a replica, as used by replication and restore. */
export interface ReplicaFiles {
  /**
   * Lists the files of one level, or of levels 0 to 9, sorted by level, minTXID and maxTXID. A level that was
   * never written is empty.
   */
  listFiles(level: number | 'all', options?: ListFilesOptions): AsyncIterable<LTXFileInfo>;
  openFile(file: LTXFileRef, options?: OpenFileOptions): Promise<OpenedObject>;
  /** Writes the whole file or nothing. With 'if-absent', an existing file is REPLICA_CONFLICT. */
  writeFile(file: LTXFileRef, body: ObjectBody, options?: WriteFileOptions): Promise<LTXFileInfo>;
  /** Tries all files, then rejects with `failures`. Deleting a missing file succeeds. */
  deleteFiles(files: readonly LTXFileRef[], options?: SignalOptions): Promise<void>;
  /** Copies a file at the destination, replacing an existing one. Present if the client supports it. */
  copyFile?:
    | ((from: LTXFileRef, to: LTXFileRef, options?: SignalOptions) => Promise<LTXFileInfo>)
    | undefined;
  /** Opens the file itself, for a destination on this machine. Present if the client supports it. */
  openLocalFile?: ((file: LTXFileRef, options?: SignalOptions) => Promise<LocalFile>) | undefined;
  /** Whether there is a backup of Litestream 0.3 beside the files. */
  hasGenerations?: ((options?: SignalOptions) => Promise<boolean>) | undefined;
  /** Present if files are encrypted: their listed sizes are then those of the encrypted files. */
  readonly encrypted?: EncryptedFiles | undefined;
  /** Small objects beside the files. Present for a `Replica`. */
  readonly objects?: Pick<NamedObjects, 'get' | 'put' | 'delete'> | undefined;
}

/** The LTX files and named objects of one database below `root` at a destination. Errors are those of its client. */
export class Replica implements ReplicaFiles {
  /** "s3://bucket/db", for messages. */
  readonly name: string;
  readonly root: string;
  readonly client: ReplicaClient;
  readonly layout: Layout;
  readonly capabilities: Capabilities;
  readonly copyFile?: ReplicaFiles['copyFile'];
  readonly openLocalFile?: ReplicaFiles['openLocalFile'];
  readonly encrypted?: EncryptedFiles;
  readonly objects: NamedObjects;
  readonly #access: 'read' | 'write';
  readonly #proof: KeyProof;

  constructor(client: ReplicaClient, root: string, { access = 'write' }: ReplicaOptions = {}) {
    this.name = describeReplica(client.name, root);
    this.root = root;
    this.layout = client.layout ?? 'tree';
    this.capabilities = client.capabilities;
    this.client = client;
    this.#access = access;
    this.#proof = new KeyProof(client, root);
    this.objects = new NamedObjects(client, root, this.#proof);
    const copy = client.copy?.bind(client);
    if (copy !== undefined) {
      this.copyFile = async (from, to, options) =>
        toFileInfo(to, await copy(this.keyOf(from), this.keyOf(to), this.#with(options)));
    }
    if (client instanceof EncryptedClient) {
      const { encryption, isLocal } = client;
      this.encrypted = {
        encryption,
        isLocal,
        isEncrypted: async (file, options) =>
          await client.isEncrypted(this.keyOf(file), this.#with(options)),
        readEnd: async (file, options) =>
          await client.readEnd(this.keyOf(file), file.sizeBytes, this.#with(options)),
      };
    }
    const openLocal = client.openLocal?.bind(client);
    if (openLocal !== undefined) {
      this.openLocalFile = async (file, options) =>
        await openLocal(this.keyOf(file), this.#with(options));
    }
  }

  keyOf(file: LTXFileRef): string {
    return keyOf(this.layout, this.root, file);
  }

  async *listFiles(
    level: number | 'all',
    { from, signal, generations, emptyRoot }: ListFilesOptions = {},
  ): AsyncGenerator<LTXFileInfo, void, undefined> {
    const { prefix, startAfter } = this.#rangeOf(level, from);
    let isEmpty = true;
    const options = this.#with({ startAfter, signal, emptyRoot });
    for await (const object of this.client.list(prefix, options)) {
      const file = parseKey(this.layout, this.root, object.key);
      if (file === undefined || (from !== undefined && file.minTXID < from)) continue;
      isEmpty = false;
      yield toFileInfo(file, object);
    }
    if (!isEmpty || level !== 'all' || from !== undefined || this.#access !== 'read') return;
    await checkOtherLayouts(this.client, this.root, { signal, generations });
  }

  async hasGenerations(options: SignalOptions = {}): Promise<boolean> {
    return await hasGenerations(this.client, this.root, this.#with(options));
  }

  async openFile(file: LTXFileRef, options: OpenFileOptions = {}): Promise<OpenedObject> {
    return await this.client.get(this.keyOf(file), this.#with(options));
  }

  async writeFile(
    file: LTXFileRef,
    body: ObjectBody,
    options: WriteFileOptions = {},
  ): Promise<LTXFileInfo> {
    await this.#proof.prove(options);
    const info = await this.client.put(this.keyOf(file), body, this.#with(options));
    return toFileInfo(file, info);
  }

  async deleteFiles(files: readonly LTXFileRef[], options: SignalOptions = {}): Promise<void> {
    const keys = files.map((file) => this.keyOf(file));
    await this.client.delete(keys, this.#with(options));
  }

  #with<Options extends SignalOptions>(options?: Options): Options & CallOptions {
    return { ...(options ?? ({} as Options)), root: this.root };
  }

  #rangeOf(
    level: number | 'all',
    from: TXID | undefined,
  ): { readonly prefix: string; readonly startAfter?: string } {
    const { layout, root } = this;
    if (level === 'all') return { prefix: allLevelsPrefix(layout, root) };
    const prefix = levelPrefix(layout, root, level);
    if (from === undefined) return { prefix };
    return { prefix, startAfter: startAfterKey(layout, root, level, from) };
  }
}

function toFileInfo(file: LTXFileRef, info: ObjectInfo): LTXFileInfo {
  const { level, minTXID, maxTXID } = file;
  const { sizeBytes, modifiedAt, createdAt } = info;
  return { level, minTXID, maxTXID, sizeBytes, modifiedAt, ...(createdAt && { createdAt }) };
}
