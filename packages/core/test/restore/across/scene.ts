/** Destinations of one history in memory, and a restore over those that belong together. */

import { ReplicationError } from '../../../src/error.ts';
import type { ReplicaFiles } from '../../../src/replica/replica.ts';
import { unite, type Apart, type Member, type United } from '../../../src/restore/across/unite.ts';
import type { RestoreReport } from '../../../src/restore/options.ts';
import { ListedHeaders, listAll, type RestoreTarget } from '../../../src/restore/plan/listing.ts';
import { randomFrom } from '../../support/random.ts';
import { Bucket, encodeFile, History } from '../bucket.ts';
import { newSetting } from '../setting.ts';

export const LAST = 9;
export const LINEAGE = 0xabcdn;
const LATEST = { kind: 'latest' } as const;
const signal = new AbortController().signal;

export function newHistory(seed = 11): History {
  const random = randomFrom(seed);
  const history = new History(512);
  for (let txid = 1; txid <= LAST; txid++) history.commit(random, 6, 2);
  return history;
}

/** A snapshot of TXID 1, and one file for each TXID up to `last`. */
export function newBucket(history: History, nodeID = LINEAGE, last = LAST): Bucket {
  const bucket = new Bucket();
  bucket.put(9, 1, 1, encodeFile(1, 1, { ...history.image(1), nodeID }));
  for (let txid = 1; txid <= last; txid++) put(bucket, history, txid, nodeID);
  return bucket;
}

export function put(bucket: Bucket, history: History, txid: number, nodeID = LINEAGE): void {
  const content = txid === 1 ? history.image(1) : history.content(txid, txid);
  bucket.put(0, txid, txid, encodeFile(txid, txid, { ...content, nodeID }));
}

export function flip(bucket: Bucket, level: number, min: number, max: number): void {
  const bytes = bucket.bytes(level, min, max).slice();
  bytes[200] = (bytes[200] ?? 0) ^ 1;
  bucket.put(level, min, max, bytes);
}

/** A destination, by name: its bucket, or a client and how long its listing takes. */
export type Places = Readonly<
  Record<string, Bucket | { readonly client: ReplicaFiles; readonly listedInMs: number }>
>;

export async function uniteAll(
  places: Places,
  target: RestoreTarget = LATEST,
): Promise<United | Apart> {
  const members = Object.entries(places).map(async ([name, place], index): Promise<Member> => {
    const { client, listedInMs } =
      place instanceof Bucket ? { client: place.client(), listedInMs: 1 + 10 * index } : place;
    const listed = await listAll(client, signal);
    return { name, client, listed, headers: new ListedHeaders(client), listedInMs };
  });
  return await unite(await Promise.all(members), target, signal);
}

export interface RestoredAcross {
  readonly report: RestoreReport;
  readonly bytes: Uint8Array;
}

/** Restores the united state. The error of the restore is thrown. */
export async function restoreUnited(
  places: Places,
  target: RestoreTarget = LATEST,
): Promise<RestoredAcross> {
  const united = await uniteAll(places, target);
  if (united.kind !== 'united') throw united.error ?? new Error('the destinations are apart');
  const { sources } = united;
  const setting = newSetting();
  const [first] = sources;
  if (first === undefined) throw new Error('no source');
  const report = await setting.run({ client: first.client, sources, target });
  return { report, bytes: setting.bytes() };
}

export async function errorOf(work: Promise<unknown>): Promise<ReplicationError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof ReplicationError) return error;
    throw error;
  }
  throw new Error('it succeeded');
}

export function namesOf({ readFrom }: RestoreReport): string[] {
  return readFrom.map(({ source }) => source);
}
