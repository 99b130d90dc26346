/** One destination in memory with files of chosen ages, its known contents, and the deleter under test. */

import { onTestFinished } from 'vitest';
import { Encryption, type EncryptionKeys } from '../../src/encryption/age.ts';
import { EncryptedClient } from '../../src/encryption/encrypted-client.ts';
import type { RetentionPolicy } from '../../src/history/retention-policy.ts';
import { toTXID } from '../../src/ltx/txid.ts';
import { FileSet } from '../../src/replica/file-set.ts';
import type { LTXFileInfo } from '../../src/replica/replica.ts';
import { Holdings } from '../../src/replicate/destination/holdings.ts';
import { Deleter } from '../../src/replicate/retention/deleter.ts';
import type { Replica } from '../../src/replica/replica.ts';
import type { SealedRecord } from '../../src/replicate/destination/sealer.ts';
import { Destination } from '../../src/replica/destination.ts';
import { Wakeup } from '../../src/replicate/waits.ts';
import { memoryClient, MemoryStore } from '../../src/store/memory.ts';
import { encodeFile } from '../restore/bucket.ts';
import { bodyOf } from '../store/fixtures.ts';
import { changeFiles, filesOf, type Files } from '../support/files-view.ts';
import { StoppedClock, type Server } from './scene.ts';

const ROOT = 'db';
const PAGE = { commit: 1, pageSize: 512, pages: new Map([[1, new Uint8Array(512)]]) };

export interface ShelfOptions {
  readonly retention?: RetentionPolicy;
  readonly server?: Server;
  /** Encrypts the files. */
  readonly keys?: EncryptionKeys | undefined;
  /** The process before this one, at the same destination. */
  readonly before?: Shelf | undefined;
}

export class Shelf {
  readonly clock: StoppedClock;
  readonly store: MemoryStore;
  readonly holdings: Holdings = new Holdings();
  readonly deleter: Deleter;
  /** "warn: memory: …" */
  readonly messages: string[] = [];
  /** Calls of the deleter: "list 1", "delete 0/1-1 0/2-2". */
  readonly calls: string[] = [];
  /** Records of encrypted snapshots. */
  sealed: SealedRecord[];
  isQuiet = true;
  missing = 0;
  readonly #changed = new Wakeup();
  readonly #files: Files;
  readonly #replica: Replica;
  readonly #isEncrypted: boolean;

  constructor({ retention, server = (client) => client, keys, before }: ShelfOptions = {}) {
    this.clock = before?.clock ?? new StoppedClock();
    this.store = before?.store ?? new MemoryStore();
    this.sealed = before?.sealed ?? [];
    const client = memoryClient({ store: this.store, now: () => new Date(this.clock.now()) });
    const encryption = keys && new Encryption(keys);
    const wrapped = encryption ? new EncryptedClient(client, encryption) : client;
    this.#files = filesOf(wrapped, ROOT);
    const behind = changeFiles(client, (files) => this.#counting(server(files)));
    const log =
      (level: string) =>
      (message: string): void => {
        this.messages.push(`${level}: ${message}`);
        this.#changed.notify();
      };
    const replica = new Destination(behind, { attemptsMax: 1, encryption }).replica(ROOT);
    this.#replica = replica;
    this.#isEncrypted = encryption !== undefined;
    this.deleter = new Deleter({
      name: 'memory',
      target: 'memory://bucket/db',
      retention,
      holdings: this.holdings,
      client: () => replica,
      sealed: () => this.sealed,
      isQuiet: () => this.isQuiet,
      onMissing: () => (this.missing += 1),
      onChange: () => this.#changed.notify(),
      clock: this.clock,
      random: { fraction: () => 1, bits64: () => 1n },
      logger: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
    });
    onTestFinished(() => this.deleter.close(new Error('the test is over')));
    this.list();
  }

  /** Writes files at the present time, such as "9/1-5". */
  async write(...names: readonly string[]): Promise<void> {
    for (const name of names) {
      const [level = '', range = ''] = name.split('/');
      const [min, max] = range.split('-').map(Number) as [number, number];
      const ref = { level: Number(level), minTXID: toTXID(min), maxTXID: toTXID(max) };
      const body = bodyOf(encodeFile(min, max, PAGE));
      const info = await this.#files.writeFile(ref, body);
      const sent = { txid: ref.maxTXID, sizeBytes: info.sizeBytes, checksum: '', lineage: 1n };
      if (this.#isEncrypted) await this.#recordSealed(info);
      this.holdings.wrote({ info, sent, pageSize: 512, uploadedBytes: info.sizeBytes });
      this.deleter.wrote(info);
    }
  }

  /** Like the sealer, which knows the bytes that it sends. */
  async #recordSealed(info: LTXFileInfo): Promise<void> {
    const { level, minTXID, maxTXID: txid, sizeBytes } = info;
    const checksum = (await this.#replica.encrypted?.readEnd(info)) ?? '';
    const merged = { level, minTXID };
    const sent = { txid, sizeBytes, checksum, lineage: 1n, merged };
    this.sealed.push({ ...sent, plainChecksum: '', pageSize: 512 });
  }

  /** The destination was listed, and is ours. */
  list(files: readonly LTXFileInfo[] = this.holdings.all()): void {
    const listed = { files: FileSet.of(files), top: undefined, pageSize: 512 };
    this.holdings.listingBegan();
    this.holdings.listed(listed, () => ({ chain: 'ours', lineage: 1n, why: undefined }));
  }

  async enforce(): Promise<void> {
    await this.deleter.enforce(AbortSignal.timeout(60_000));
  }

  async until(event: string, holds: () => boolean): Promise<void> {
    const deadline = Date.now() + 60_000;
    while (!holds()) {
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`never: ${event}\n${this.messages.join('\n')}`);
      await this.#changed.next(Math.min(left, 20));
    }
  }

  /** Lets the deleter do what it can do without the clock. */
  async someTurns(): Promise<void> {
    for (let turn = 0; turn < 10; turn += 1) await new Promise((done) => setTimeout(done, 0));
  }

  /** Names of the files at the destination. */
  async names(): Promise<string> {
    return namesOf(await Array.fromAsync(this.#files.listFiles('all')));
  }

  get known(): string {
    return namesOf(this.holdings.all());
  }

  get files(): Files {
    return this.#files;
  }

  #counting(files: Files): Files {
    return {
      ...files,
      listFiles: (level, options) => {
        this.calls.push(`list ${level}`);
        return files.listFiles(level, options);
      },
      deleteFiles: async (refs, options) => {
        this.calls.push(`delete ${namesOf(refs)}`);
        await files.deleteFiles(refs, options);
      },
    };
  }
}

function namesOf(files: readonly Pick<LTXFileInfo, 'level' | 'minTXID' | 'maxTXID'>[]): string {
  return files
    .toSorted((a, b) => a.level - b.level || Number(a.maxTXID - b.maxTXID))
    .map(({ level, minTXID, maxTXID }) => `${level}/${minTXID}-${maxTXID}`)
    .join(' ');
}
