/** Destinations in memory with small histories, and a repair of them. */

import type { Clock } from '../../src/clock.ts';
import { repair, type RepairOptions, type RepairTarget } from '../../src/repair/repair.ts';
import type { RepairReport } from '../../src/repair/report.ts';
import { encodeFile, History, type FileContent } from '../restore/bucket.ts';
import { randomFrom } from '../support/random.ts';
import { Place, type MadeFile } from './shredded.ts';

export const LINEAGE = 7n;

/** Transactions 1 to `last` at level 0, and a snapshot of the first; incompressible pages. */
export function makeFiles(
  last: number,
  seed = 1,
  nodeID = LINEAGE,
): { history: History; files: MadeFile[] } {
  const random = randomFrom(seed);
  const history = new History(512);
  for (let txid = 1; txid <= last; txid += 1) history.commit(random, 120, 3);
  const files = [made(9, 1, 1, history.image(1), nodeID)];
  for (let txid = 1; txid <= last; txid += 1) {
    files.push(made(0, txid, txid, history.content(txid, txid), nodeID));
  }
  return { history, files };
}

export function made(
  level: number,
  min: number,
  max: number,
  content: FileContent,
  nodeID = LINEAGE,
): MadeFile {
  return { level, min, max, bytes: encodeFile(min, max, { ...content, nodeID }) };
}

export async function placesWith(files: readonly MadeFile[], ...names: string[]): Promise<Place[]> {
  const places = names.map((name) => new Place(name));
  for (const place of places) await place.write(files);
  return places;
}

/** A clock at this time. */
export function clockAt(nowMs: number): Clock {
  return { now: () => nowMs, monotonic: () => nowMs };
}

export async function repairAll(
  places: readonly Place[],
  { targets = {}, ...options }: Partial<RepairOptions> & { targets?: Partial<RepairTarget> } = {},
): Promise<RepairReport> {
  const destinations = places.map((place) => place.target(targets));
  return await repair({ destinations, mode: 'mend', read: 'ends', ...options });
}

export function at(report: RepairReport, name: string): RepairReport['destinations'][number] {
  const found = report.destinations.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
}

export function bytesAt(place: Place, file: MadeFile): Uint8Array | undefined {
  return place.store.objects.get(place.key(file))?.bytes;
}

/** Flips a bit in the middle of a file. */
export function spoil(place: Place, file: MadeFile): void {
  place.change(file, (bytes) => {
    const middle = bytes.length >> 1;
    bytes[middle] = (bytes[middle] ?? 0) ^ 1;
    return bytes;
  });
}
