/**
 * One destination in memory, its uploader, and a database of a few pages. Staged files are LTX files
 * on disk; the destination is restored and compared.
 */

import fs from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { Encryption, type EncryptionKeys } from '../../src/encryption/age.ts';
import { EncryptedClient } from '../../src/encryption/encrypted-client.ts';
import type { SealedRecord } from '../../src/replicate/destination/sealer.ts';
import { Replica, type LTXFileInfo, type ReplicaFiles } from '../../src/replica/replica.ts';
import type { Clock } from '../../src/clock.ts';
import { ReplicationError, type ErrorCode } from '../../src/error.ts';
import { systemFiles } from '../../src/file-system.ts';
import type { RetentionPolicy } from '../../src/history/retention-policy.ts';
import { DEFAULT_LEVELS } from '../../src/history/levels.ts';
import { formatTXID, toTXID } from '../../src/ltx/txid.ts';
import { Destination } from '../../src/replica/destination.ts';
import type { Capabilities } from '../../src/store/client.ts';
import type { LTXFileRef } from '../../src/store/layout.ts';
import { memoryClient, MemoryStore } from '../../src/store/memory.ts';
import type { SentRecord } from '../../src/replicate/destination/admission.ts';
import { Backlog, type StagedSnapshot } from '../../src/replicate/backlog.ts';
import type { SnapshotScope } from '../../src/replicate/levels/snapshot-time.ts';
import type { StagedMerge } from '../../src/replicate/levels/merge-files.ts';
import type { NextStep } from '../../src/replicate/destination/next.ts';
import { SharedReads } from '../../src/replicate/destination/bodies.ts';
import { Uploader } from '../../src/replicate/destination/uploader.ts';
import { Identity } from '../../src/replicate/ownership/identity.ts';
import { Ownership } from '../../src/replicate/ownership/ownership.ts';
import type { LeaseSettings } from '../../src/replicate/ownership/lease.ts';
import type { ForeignReplica } from '../../src/replicate/ownership/standing.ts';
import { systemRandom } from '../../src/random.ts';
import { Wakeup } from '../../src/replicate/waits.ts';
import { restore } from '../../src/restore/restore.ts';
import { changeFiles, filesOf, type Files } from '../support/files-view.ts';
import { changeObjects, type Objects } from '../support/objects-view.ts';
import { encodeFile } from '../restore/bucket.ts';
import { temporaryFolder } from '../restore/temporary.ts';

const PAGE_SIZE = 512;
const PAGES = 4;
const ROOT = 'db';
/** Retry interval, as at the end of a process. */
const RETRY_MS = 5;
const WAIT_MS_MAX = 60_000;

/** A clock that only a test advances. */
export class StoppedClock implements Clock {
  #ms = 1_000_000;

  now(): number {
    return 1_700_000_000_000 + this.#ms;
  }

  monotonic(): number {
    return this.#ms;
  }

  advance(ms: number): void {
    this.#ms += ms;
  }
}

/** The database of a scene, and its staging folder. */
export class Staged {
  readonly folder: string = temporaryFolder();
  readonly backlog: Backlog = new Backlog();
  head = 0n;
  lineage: bigint;
  snapshot: StagedSnapshot | undefined;
  readonly #pages = Array.from({ length: PAGES }, () => new Uint8Array(PAGE_SIZE));
  readonly #states = new Map<bigint, Buffer>();
  readonly #now: () => number;

  /** `now`: the time in the headers of its files. */
  constructor(lineage = 0x100n, now = (): number => 1_700_000_000_000) {
    this.lineage = lineage;
    this.#now = now;
  }

  /** A transaction changes one page. */
  commit(): bigint {
    this.#change(this.head + 1n);
    const pgno = Number(this.head % BigInt(PAGES)) + 1;
    this.#stage([pgno], 'increment');
    return this.head;
  }

  /** A new lineage begins above `floor`. */
  image(floor = 0n): bigint {
    this.lineage += 1n;
    this.#change((floor > this.head ? floor : this.head) + 1n);
    this.#stage(ALL_PAGES, 'image');
    return this.head;
  }

  /** `scope`: which destinations get it. Default: all. */
  takeSnapshot(scope?: SnapshotScope): void {
    const file = this.#write(1n, ALL_PAGES, 'snapshot');
    this.snapshot = { txid: this.head, lineage: this.lineage, pageSize: PAGE_SIZE, scope, ...file };
  }

  stateOf(txid: bigint): Buffer {
    return this.#states.get(txid) ?? Buffer.from('no such state');
  }

  #change(txid: bigint): void {
    this.head = txid;
    const page = Buffer.alloc(PAGE_SIZE, `TXID ${txid} of lineage ${this.lineage}, `);
    this.#pages[Number(txid % BigInt(PAGES))] = page;
    this.#states.set(txid, Buffer.concat(this.#pages));
  }

  #stage(pgnos: readonly number[], content: 'increment' | 'image'): void {
    const file = this.#write(this.head, pgnos, 'level0');
    const { timestampMs: since } = file;
    const { head: txid, lineage } = this;
    this.backlog.add({ txid, lineage, pageSize: PAGE_SIZE, content, since, asOf: since, ...file });
  }

  #write(
    min: bigint,
    pgnos: readonly number[],
    kind: string,
  ): { path: string; sizeBytes: number; timestampMs: number } {
    const pages = new Map(pgnos.map((pgno) => [pgno, this.#pages[pgno - 1] as Uint8Array]));
    const timestamp = new Date(this.#now());
    const content = { commit: PAGES, pageSize: PAGE_SIZE, pages, nodeID: this.lineage, timestamp };
    const bytes = encodeFile(Number(min), Number(this.head), content);
    const file = path.join(this.folder, `${kind}-${this.head}.ltx`);
    fs.writeFileSync(file, bytes);
    return { path: file, sizeBytes: bytes.length, timestampMs: timestamp.getTime() };
  }
}

const ALL_PAGES = Array.from({ length: PAGES }, (_, index) => index + 1);

/** Wraps a client to change the behavior of the server. */
export type Server = (client: Files) => Files;

export interface SceneOptions {
  readonly staged?: Staged;
  readonly store?: MemoryStore;
  readonly server?: Server;
  /** Default: that of core, which is more than a file of a scene has. */
  readonly copyBytesMin?: number;
  /** Default: those of the memory client. */
  readonly capabilities?: Capabilities;
  readonly record?: SentRecord | undefined;
  /** Time between uploads. Default: each file is sent at once. */
  readonly syncIntervalMs?: number;
  readonly clock?: StoppedClock;
  /** Encrypts the files of the destination. */
  readonly keys?: EncryptionKeys;
  /** Records of files that were encrypted before. */
  readonly sealed?: readonly SealedRecord[];
  /** The server then has the clock of the scene. */
  readonly retention?: RetentionPolicy;
  /** The replicator owns its destination, as `host`. Default: nobody does. */
  readonly owner?: SceneOwner;
  /** Changes how the server answers requests for named objects. */
  readonly objects?: (objects: Objects) => Partial<Objects>;
}

export interface SceneOwner {
  readonly host: string;
  readonly machine?: string;
  readonly foreign?: ForeignReplica;
  readonly lease?: LeaseSettings;
  readonly onHeld?: (error: Error) => void;
}

export class Scene {
  readonly staged: Staged;
  readonly store: MemoryStore;
  readonly uploader: Uploader;
  readonly clock: StoppedClock;
  readonly messages: string[] = [];
  readonly needs: NextStep['kind'][] = [];
  record: SentRecord | undefined;
  /** The staged merged files. */
  merges: readonly StagedMerge[] = [];
  /** Ends windows of merged files. */
  endWindows: (levels: readonly number[]) => 'merging' | 'nothing' = () => 'nothing';
  sealed: readonly SealedRecord[];
  /** Whether the database was opened, so that the backlog is known. */
  isOpened = true;
  /** All records of sent files, in order. */
  readonly recorded: SentRecord[] = [];
  readonly #changed = new Wakeup();
  readonly #keys: EncryptionKeys | undefined;
  #now: (() => Date) | undefined;

  constructor(options: SceneOptions = {}) {
    this.staged = options.staged ?? new Staged();
    this.store = options.store ?? new MemoryStore();
    this.clock = options.clock ?? new StoppedClock();
    this.record = options.record;
    this.sealed = options.sealed ?? [];
    this.#keys = options.keys;
    if (options.retention !== undefined) this.#now = () => new Date(this.clock.now());
    const log = (message: string): void => void this.messages.push(message);
    const { staged } = this;
    this.uploader = new Uploader({
      name: 'memory',
      type: 'memory',
      target: 'memory://bucket/db',
      open: async () => this.#open(options),
      retention: options.retention,
      backlog: staged.backlog,
      reads: new SharedReads(systemFiles),
      knowsBacklog: () => this.isOpened,
      mayBegin: () => true,
      hangMs: 60_000,
      copyBytesMin: options.copyBytesMin,
      syncIntervalMs: options.syncIntervalMs,
      databaseIntervalMs: 1_000,
      snapshotIntervalMs: 24 * 3_600_000,
      ownership: options.owner && this.#toOwnership(options.owner, log),
      head: () => staged.head,
      snapshot: () => staged.snapshot,
      merged: this.#toMerged(),
      onGone: (file) => staged.backlog.forget(file),
      record: () => this.record,
      emptyRoot: () => (this.record === undefined ? undefined : 'refuse'),
      sealed: () => this.sealed,
      onSealed: async (sealed) => {
        this.sealed = [sealed, ...this.sealed];
      },
      onImageNeeded: (need) => this.#onImageNeeded(need),
      onChange: ({ sent }) => {
        if (sent !== undefined) {
          this.record = sent;
          this.recorded.push(sent);
        }
        this.#changed.notify();
      },
      isMakingImage: () => false,
      clock: this.clock,
      random: { fraction: () => 1, bits64: () => 1n },
      files: systemFiles,
      logger: { debug: log, info: log, warn: log, error: log },
    });
    onTestFinished(() => this.uploader.close(new Error('the test is over')));
  }

  start(): this {
    this.uploader.start();
    return this;
  }

  /** Drains the destination, as at the end of a process. */
  async drained(timeoutMs = 1_000): Promise<'complete' | 'behind'> {
    this.uploader.wake();
    return await this.uploader.drain(this.staged.head, timeoutMs, RETRY_MS);
  }

  async until(event: string, holds: () => boolean): Promise<void> {
    const deadline = Date.now() + WAIT_MS_MAX;
    while (!holds()) {
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`never: ${event}\n${this.messages.join('\n')}`);
      await this.#changed.next(Math.min(left, 20));
    }
  }

  /** Advances the clock and wakes the uploader. */
  later(ms: number): void {
    this.clock.advance(ms);
    this.uploader.wake();
  }

  /** Names of the files, such as "0/5-5", by level and TXIDs. */
  async names(): Promise<string[]> {
    const files = await this.files();
    return files.map(({ level, minTXID, maxTXID }) => `${level}/${minTXID}-${maxTXID}`);
  }

  async files(): Promise<LTXFileInfo[]> {
    return await Array.fromAsync(this.client().listFiles('all'));
  }

  client(): Files {
    return filesOf(memoryClient({ store: this.store }), ROOT);
  }

  /** The files as they are read with other keys. */
  reader(keys: EncryptionKeys): Replica {
    const client = new EncryptedClient(memoryClient({ store: this.store }), new Encryption(keys));
    return new Replica(client, ROOT);
  }

  remove(level: number, min: number, max = min): void {
    this.store.objects.delete(this.#keyOf(level, min, max));
  }

  /** Removes the last bytes of a file. */
  cutShort(level: number, min: number, max = min): void {
    const key = this.#keyOf(level, min, max);
    const stored = this.store.objects.get(key);
    if (stored !== undefined) {
      this.store.objects.set(key, { ...stored, bytes: stored.bytes.subarray(0, -8) });
    }
  }

  #keyOf(level: number, min: number, max: number): string {
    const key = [...this.store.objects.keys()].find((each) =>
      each.endsWith(`/${level}/${formatTXID(toTXID(min))}-${formatTXID(toTXID(max))}.ltx`),
    );
    if (key === undefined) throw new Error(`level ${level} ${min}-${max} is not there`);
    return key;
  }

  /** Restores the newest state from the destination and compares it byte for byte. */
  async expectRestored(client: ReplicaFiles = this.client()): Promise<void> {
    const output = path.join(this.staged.folder, 'restored');
    const target = { kind: 'latest' } as const;
    const report = await restore({
      sources: [{ name: 'memory', client }],
      output,
      target,
      overwrite: 'replace',
    });
    expect(report.txid).toBe(formatTXID(this.staged.head));
    expect(fs.readFileSync(output).equals(this.staged.stateOf(this.staged.head))).toBe(true);
  }

  #open({
    server = (files) => files,
    capabilities,
    objects = () => ({}),
  }: SceneOptions): ReturnType<ConstructorParameters<typeof Uploader>[0]['open']> {
    const behind = changeFiles(
      changeObjects(memoryClient({ store: this.store, capabilities, now: this.#now }), objects),
      server,
    );
    const encryption = this.#keys && new Encryption(this.#keys);
    const wrapped = new Destination(behind, { attemptsMax: 1, encryption });
    return Promise.resolve({
      client: wrapped.replica(ROOT),
      unsettled: wrapped.unsettled(ROOT),
      capabilities: wrapped.capabilities,
      fencing: wrapped.fencing,
    });
  }

  #toOwnership(
    { host, machine, foreign = 'refuse', lease, onHeld }: SceneOwner,
    log: (message: string) => void,
  ): Ownership {
    const { folder } = this.staged;
    const identity = new Identity({
      path: path.join(folder, 'app.db'),
      metaPath: folder,
      files: systemFiles,
      random: systemRandom,
      machine: { host, machine },
      onProblem: (error) => log(String(error)),
    });
    const logger = { debug: log, info: log, warn: log, error: log };
    const target = 'memory://bucket/db';
    const settings = { foreign, lease, onHeld };
    return new Ownership({
      ...{ name: 'memory', target, identity, clock: this.clock, logger },
      ...settings,
    });
  }

  #toMerged(): ConstructorParameters<typeof Uploader>[0]['merged'] {
    const staged = (): readonly StagedMerge[] => this.merges;
    const endWindows = (levels: readonly number[]): 'merging' | 'nothing' =>
      this.endWindows(levels);
    return {
      get staged() {
        return staged();
      },
      topLevel: DEFAULT_LEVELS.length,
      endWindows,
    };
  }

  /** Makes the image or snapshot, like the engine. */
  #onImageNeeded(need: NextStep & { kind: 'needs-snapshot' | 'needs-image' }): void {
    this.needs.push(need.kind);
    if (need.kind === 'needs-image') this.staged.image(need.floor);
    else this.staged.takeSnapshot();
    setImmediate(() => this.uploader.wake());
  }
}

/** A server with its own `writeFile`. It does not copy. */
export function writing(
  write: (...given: [...Parameters<Files['writeFile']>, Files]) => ReturnType<Files['writeFile']>,
): Server {
  return (client) => ({
    listFiles: (level, options) => client.listFiles(level, options),
    openFile: (file, options) => client.openFile(file, options),
    deleteFiles: (files, options) => client.deleteFiles(files, options),
    copyFile: () => Promise.reject(refusal('REPLICA_UNSUPPORTED')),
    writeFile: (file, body, options) => write(file, body, options ?? {}, client),
  });
}

export function refusal(code: ErrorCode = 'REPLICA_PERMISSION_DENIED'): ReplicationError {
  return new ReplicationError(code, 'the server refuses it');
}

export function isFile(file: LTXFileRef, level: number, max: number): boolean {
  return file.level === level && file.maxTXID === BigInt(max);
}
