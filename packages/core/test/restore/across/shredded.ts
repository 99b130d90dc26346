/** Three destinations of one history, each with most of its objects lost or damaged. */

import { reachableTXIDs } from '../../../src/history/chain.ts';
import type { TXID } from '../../../src/ltx/txid.ts';
import { EncryptedClient } from '../../../src/encryption/encrypted-client.ts';
import { Encryption } from '../../../src/encryption/age.ts';
import { Replica, type LTXFileInfo } from '../../../src/replica/replica.ts';
import { bodyFromBytes } from '../../../src/store/body.ts';
import { memoryClient, MemoryStore } from '../../../src/store/memory.ts';
import { newKeys } from '../../encryption/keys.ts';
import { randomFrom, type Random } from '../../support/random.ts';
import { encodeFile, History, type FileContent } from '../bucket.ts';
import { timeOf } from '../files.ts';

const PAGE_BYTES = 512;
const PLACES = ['near', 'middle', 'far'] as const;
/** Objects that each destination loses. */
const LOSS = 0.6;
/** Destinations that are encrypted. */
const ENCRYPTED = 0.1;

export interface Place {
  readonly name: string;
  readonly store: MemoryStore;
  readonly replica: Replica;
}

export interface Shredded {
  readonly history: History;
  readonly places: readonly Place[];
  /** Every state that the files led to before the damage, ascending. */
  readonly states: readonly TXID[];
  /** Objects that were lost or damaged. */
  readonly damage: number;
}

/** The same places, files and damage for the same seed. Every file survives at one place. */
export async function shred(seed: number): Promise<Shredded> {
  const random = randomFrom(seed);
  const history = makeHistory(random);
  const imageAt = random.chance(0.4) ? random.int(2, history.last - 1) : undefined;
  const lineages = [randomLineage(random), randomLineage(random)] as const;
  const lineageOf = (txid: number): bigint =>
    lineages[imageAt !== undefined && txid >= imageAt ? 1 : 0];
  const places = await Promise.all(
    PLACES.map((name) => newPlace(name, random.chance(ENCRYPTED) ? 'encrypted' : 'plain')),
  );
  for (const place of places) {
    for (const [level, min, max] of filesAt(history.last, imageAt, random)) {
      const isWhole = min === 1 || min === imageAt;
      const content = isWhole ? history.image(max) : history.content(min, max);
      await write(place, level, min, max, { ...content, nodeID: lineageOf(max) });
    }
  }
  const listed = new Map<string, LTXFileInfo>();
  const holders = new Map<string, Place[]>();
  for (const place of places) {
    for await (const file of place.replica.listFiles('all')) {
      const key = place.replica.keyOf(file);
      listed.set(key, file);
      holders.set(key, [...(holders.get(key) ?? []), place]);
    }
  }
  let damage = 0;
  for (const [key, having] of holders) {
    const survivor = random.pick(having);
    for (const place of having) {
      if (place === survivor || !random.chance(LOSS)) continue;
      breakObject(place.store, key, random);
      damage += 1;
    }
  }
  return { history, places, states: reachableTXIDs([...listed.values()]), damage };
}

function makeHistory(random: Random): History {
  const history = new History(PAGE_BYTES);
  let size = random.int(3, 20);
  const txids = random.int(6, 40);
  for (let txid = 1; txid <= txids; txid++) {
    if (random.chance(0.3)) size = Math.max(1, Math.min(size + random.int(-5, 6), 40));
    history.commit(random, size, random.int(1, 4));
  }
  return history;
}

function randomLineage(random: Random): bigint {
  return BigInt(random.int(1, 2 ** 31)) * 4_294_967_296n + BigInt(random.int(0, 2 ** 31));
}

async function newPlace(name: string, form: 'encrypted' | 'plain'): Promise<Place> {
  const store = new MemoryStore();
  const client = memoryClient({ store, name: `memory://${name}` });
  if (form === 'plain') return { name, store, replica: new Replica(client, '') };
  const { reader } = await newKeys();
  return {
    name,
    store,
    replica: new Replica(new EncryptedClient(client, new Encryption(reader)), ''),
  };
}

/**
 * Level, minTXID and maxTXID of the files at one place. No two places have the same merged files and snapshots,
 * and one may be behind. With an image, a new lineage starts there at every level.
 */
function filesAt(
  last: number,
  imageAt: number | undefined,
  random: Random,
): readonly (readonly [number, number, number])[] {
  const files: (readonly [number, number, number])[] = [[9, 1, 1]];
  const top = random.chance(0.3) ? random.int(Math.max(1, imageAt ?? 1), last) : last;
  const oldest = random.chance(0.5) ? 1 : random.int(1, Math.max(1, imageAt ?? 1));
  for (let txid = oldest; txid <= top; txid++) files.push([0, txid, txid]);
  for (const level of [1, 2]) {
    let min = 1;
    while (min <= top) {
      const end = imageAt !== undefined && min < imageAt ? imageAt - 1 : top;
      const max = min === imageAt ? min : Math.min(end, min + random.int(0, 3 * level));
      files.push([level, min, max]);
      min = max + 1;
    }
  }
  for (let count = random.int(0, 2); count > 0; count--) files.push([9, 1, random.int(1, top)]);
  if (imageAt !== undefined && imageAt <= top) files.push([9, 1, imageAt]);
  return [...new Map(files.map((file) => [file.join('-'), file])).values()];
}

async function write(
  { replica }: Place,
  level: number,
  min: number,
  max: number,
  content: FileContent,
): Promise<void> {
  const bytes = encodeFile(min, max, content);
  const file = { level, minTXID: BigInt(min) as TXID, maxTXID: BigInt(max) as TXID };
  await replica.writeFile(file, bodyFromBytes(bytes, timeOf(max)));
}

function breakObject(store: MemoryStore, key: string, random: Random): void {
  const stored = store.objects.get(key);
  if (stored === undefined) throw new Error(`no ${key}`);
  const { bytes } = stored;
  const put = (changed: Uint8Array): unknown => store.put(key, changed, stored);
  const kind = random.pick([
    'lost',
    'lost',
    'lost',
    'flipped',
    'truncated',
    'empty',
    'zeros',
  ] as const);
  if (kind === 'lost') store.objects.delete(key);
  else if (kind === 'empty') put(new Uint8Array(0));
  else if (kind === 'truncated') put(bytes.slice(0, random.int(1, bytes.length - 1)));
  else if (kind === 'zeros') put(new Uint8Array(bytes.length));
  else {
    const changed = bytes.slice();
    const at = random.int(0, bytes.length - 1);
    changed[at] = (changed[at] ?? 0) ^ (1 << random.int(0, 7));
    put(changed);
  }
}
