/** Three destinations with one history, of which each loses or damages a random part. */

import { createKernel } from '../../src/kernel/kernel.ts';
import { chainTo, reachableTXIDs } from '../../src/history/chain.ts';
import { LTXDecoder } from '../../src/ltx/decoder.ts';
import { toTXID } from '../../src/ltx/txid.ts';
import { Encryption, type EncryptionKeys } from '../../src/encryption/age.ts';
import { Destination } from '../../src/replica/destination.ts';
import type { LTXFileInfo, Replica } from '../../src/replica/replica.ts';
import { bodyFromBytes } from '../../src/store/body.ts';
import type { Capabilities, Layout } from '../../src/store/client.ts';
import { memoryClient, MemoryStore } from '../../src/store/memory.ts';
import type { RepairTarget } from '../../src/repair/repair.ts';
import { encodeFile, randomHistory, type FileContent, type History } from '../restore/bucket.ts';
import { timeOf } from '../restore/files.ts';
import type { Random } from '../support/random.ts';

const kernel = createKernel();
const PAGE_BYTES = 512;
const TXIDS = 24;
/** The header of an age file: without it nobody can tell whether the file is damaged. */
const AGE_HEADER_BYTES = 250;
const ROOT = 'db';

/** One file of the history. */
export interface MadeFile {
  readonly level: number;
  readonly min: number;
  readonly max: number;
  readonly bytes: Uint8Array;
}

export interface MadeHistory {
  readonly history: History;
  readonly files: readonly MadeFile[];
}

/** Level 0, merges of 3 to 5 at level 1 and of 9 to 15 at level 2, snapshots, and sometimes a new lineage. */
export function makeHistory(random: Random, txids: number = TXIDS): MadeHistory {
  const history = randomHistory(random, PAGE_BYTES, txids);
  const seam = random.chance(0.5) ? random.int(5, txids - 5) : undefined;
  const lineages = [random.int(1, 1e9), random.int(1, 1e9)].map(BigInt) as [bigint, bigint];
  const files: MadeFile[] = [];
  const put = (level: number, min: number, max: number, content: FileContent): void => {
    const nodeID = lineages[seam !== undefined && max >= seam ? 1 : 0];
    files.push({ level, min, max, bytes: encodeFile(min, max, { ...content, nodeID }) });
  };
  for (let txid = 1; txid <= txids; txid += 1) {
    put(0, txid, txid, txid === seam ? history.image(txid) : history.content(txid, txid));
  }
  for (const [level, least] of [
    [1, 3],
    [2, 9],
  ] as const) {
    for (let min = 1; min < txids - 3;) {
      const max = Math.min(min + random.int(least, least + 2) - 1, txids - 2);
      // No merge spans a new lineage.
      const isAcross = seam !== undefined && min < seam && max >= seam;
      const end = isAcross ? seam - 1 : max;
      const isSeam = min === seam;
      put(level, min, isSeam ? min : end, isSeam ? history.image(min) : history.content(min, end));
      min = (isSeam ? min : end) + 1;
    }
  }
  for (const max of new Set([random.int(1, 9), random.int(10, 20), seam ?? 1])) {
    put(9, 1, max, history.image(max));
  }
  return { history, files };
}

export interface PlaceOptions {
  readonly layout?: Layout;
  readonly keys?: EncryptionKeys | undefined;
  readonly capabilities?: Capabilities | undefined;
}

/** One destination in memory. */
export class Place {
  readonly name: string;
  readonly store: MemoryStore = new MemoryStore();
  readonly destination: Destination;
  readonly replica: Replica;

  constructor(name: string, { layout = 'tree', keys, capabilities }: PlaceOptions = {}) {
    this.name = name;
    const client = memoryClient({
      name: `memory://${name}`,
      store: this.store,
      layout,
      capabilities,
      chunkBytes: 700,
    });
    const encryption = keys && new Encryption(keys);
    this.destination = new Destination(client, { encryption });
    this.replica = this.destination.replica(ROOT);
  }

  /** As `repair` opens it. */
  target(more: Partial<RepairTarget> = {}): RepairTarget {
    return {
      name: this.name,
      policy: undefined,
      sent: undefined,
      open: async () => ({
        client: this.replica,
        unsettled: this.destination.unsettled(ROOT),
        capabilities: this.destination.capabilities,
        fencing: this.destination.fencing,
      }),
      ...more,
    };
  }

  async write(files: readonly MadeFile[]): Promise<void> {
    for (const file of files) {
      await this.replica.writeFile(refOf(file), bodyFromBytes(file.bytes, timeOf(file.max)));
    }
  }

  key(file: Omit<MadeFile, 'bytes'>): string {
    return this.replica.keyOf(refOf(file));
  }

  async list(): Promise<LTXFileInfo[]> {
    return await Array.fromAsync(this.replica.listFiles('all'));
  }

  /** Changes the stored bytes of a file. */
  change(file: Omit<MadeFile, 'bytes'>, change: (bytes: Uint8Array) => Uint8Array): void {
    const key = this.key(file);
    const stored = this.store.objects.get(key);
    if (stored === undefined) throw new Error(`no ${key}`);
    const { bytes, modifiedAt, createdAt } = stored;
    this.store.put(key, change(Uint8Array.from(bytes)), { modifiedAt, createdAt });
  }

  remove(file: Omit<MadeFile, 'bytes'>): void {
    this.store.objects.delete(this.key(file));
  }
}

export function refOf({ level, min, max }: Omit<MadeFile, 'bytes'>): {
  level: number;
  minTXID: LTXFileInfo['minTXID'];
  maxTXID: LTXFileInfo['maxTXID'];
} {
  return { level, minTXID: toTXID(min), maxTXID: toTXID(max) };
}

/** Flips one bit somewhere from byte `start` on. */
function flip(random: Random, start = 0): (bytes: Uint8Array) => Uint8Array {
  return (bytes) => {
    const at = random.int(start, bytes.length - 1);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << random.int(0, 7));
    return bytes;
  };
}

/** Loses about `share` of all objects of each place, but every object survives somewhere. */
export function shred(
  places: readonly Place[],
  files: readonly MadeFile[],
  random: Random,
  share = 0.6,
): void {
  for (const file of files) {
    const survivor = random.pick(places);
    for (const place of places) {
      if (place === survivor || !random.chance(share * (places.length / (places.length - 1))))
        continue;
      damage(place, file, random);
    }
  }
}

function damage(place: Place, file: MadeFile, random: Random): void {
  const start = place.replica.encrypted === undefined ? 0 : AGE_HEADER_BYTES;
  const kind = random.int(0, 9);
  if (kind <= 5) place.remove(file);
  else if (kind <= 7) place.change(file, flip(random, start));
  else {
    const cut = (bytes: Uint8Array): number => random.int(start, bytes.length - 1);
    if (kind === 8) place.change(file, (bytes) => bytes.slice(0, cut(bytes)));
    else place.change(file, (bytes) => bytes.fill(0, cut(bytes)));
  }
}

/** The database at each state that a place can restore, by TXID, from its listing alone. */
export async function databasesAt(place: Place): Promise<Map<number, Uint8Array>> {
  const listed = await place.list();
  const decoded = new Map<LTXFileInfo, DecodedFile>();
  for (const file of listed) decoded.set(file, await decode(place, file));
  const databases = new Map<number, Uint8Array>();
  for (const txid of reachableTXIDs(listed)) {
    const pages = new Map<number, Uint8Array>();
    let commit = 0;
    for (const file of chainTo(listed, txid) ?? []) {
      const read = decoded.get(file);
      for (const [pgno, page] of read?.pages ?? []) pages.set(pgno, page);
      commit = read?.commit ?? 0;
    }
    const all = Array.from({ length: commit }, (_, index) => pages.get(index + 1) as Uint8Array);
    databases.set(Number(txid), new Uint8Array(Buffer.concat(all)));
  }
  return databases;
}

interface DecodedFile {
  readonly commit: number;
  readonly pages: ReadonlyMap<number, Uint8Array>;
}

async function decode(place: Place, file: LTXFileInfo): Promise<DecodedFile> {
  const { body } = await place.replica.openFile(file);
  const decoder = new LTXDecoder(kernel);
  const pages = new Map<number, Uint8Array>();
  for await (const chunk of body) {
    for (const batch of decoder.push(chunk)) {
      for (const [index, pgno] of batch.pgnos.entries()) {
        const start = index * PAGE_BYTES;
        pages.set(pgno, batch.pages.slice(start, start + PAGE_BYTES));
      }
    }
  }
  decoder.finish();
  return { commit: decoder.header?.commit ?? 0, pages };
}

/** The states inside a merged file of which a place lists no smaller part: it may have got the merged file instead. */
export function givenUp(listed: readonly LTXFileInfo[]): Set<number> {
  const states = new Set<number>();
  for (const merge of listed) {
    if (merge.level < 1 || merge.level > 8) continue;
    const isAlone = !listed.some(
      ({ level, minTXID, maxTXID }) =>
        level < merge.level && minTXID >= merge.minTXID && maxTXID < merge.maxTXID,
    );
    if (!isAlone) continue;
    for (let txid: bigint = merge.minTXID; txid < merge.maxTXID; txid++) states.add(Number(txid));
  }
  return states;
}
