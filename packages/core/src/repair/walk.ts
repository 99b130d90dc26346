/**
 * The states that can be restored from files of one history, in ascending order. Pure.
 *
 * The rule of history/chain.ts, and one more: a file follows only a state of its own lineage, unless it holds
 * every page. An unknown lineage (undefined, or 0n) goes with any other. The first file of a lineage holds every
 * page, because each lineage begins with a full snapshot.
 */

import { compare } from '../history/chain.ts';
import type { HistoryFile } from './promised.ts';

/** Files by the TXID that they end with, ascending. */
export class FilesByEnd {
  readonly ends: readonly bigint[];
  readonly #byEnd = new Map<bigint, HistoryFile[]>();

  constructor(files: Iterable<HistoryFile>) {
    for (const file of files) {
      const known = this.#byEnd.get(file.maxTXID);
      if (known === undefined) this.#byEnd.set(file.maxTXID, [file]);
      else known.push(file);
    }
    this.ends = [...this.#byEnd.keys()].sort(compare);
  }

  at(txid: bigint): readonly HistoryFile[] {
    return this.#byEnd.get(txid) ?? [];
  }

  add(file: HistoryFile): void {
    const known = this.#byEnd.get(file.maxTXID);
    if (known === undefined) this.#byEnd.set(file.maxTXID, [file]);
    else if (!known.includes(file)) known.push(file);
  }
}

/** The newest state reached so far, with the lineages of the files that end there. */
export interface Reached {
  readonly txid: bigint;
  readonly lineages: ReadonlySet<bigint>;
}

export const NOTHING_REACHED: Reached = { txid: 0n, lineages: new Set() };

/** Whether a restore can go from a state to the end of this file. */
export function continues(file: HistoryFile, reached: Reached, firsts: LineageStarts): boolean {
  if (file.minTXID === 1n) return true;
  if (reached.txid === 0n || file.minTXID > reached.txid + 1n) return false;
  const { lineage = 0n } = file;
  if (lineage === 0n || file.isFullImage || firsts.get(lineage) === file.maxTXID) return true;
  return reached.lineages.has(lineage) || reached.lineages.has(0n);
}

/** The state that these files, all of which end at one TXID and continue, lead to. */
export function reach(files: readonly HistoryFile[]): Reached {
  const lineages = new Set(files.map(({ lineage = 0n }) => lineage));
  return { txid: files[0]?.maxTXID ?? 0n, lineages };
}

/** The TXID with which each lineage begins. */
export type LineageStarts = ReadonlyMap<bigint, bigint>;

export function lineageStarts(files: Iterable<HistoryFile>): LineageStarts {
  const starts = new Map<bigint, bigint>();
  for (const { lineage = 0n, maxTXID } of files) {
    const known = starts.get(lineage);
    if (lineage !== 0n && (known === undefined || maxTXID < known)) starts.set(lineage, maxTXID);
  }
  return starts;
}

/** Every TXID that can be restored, ascending. */
export function statesOf(files: FilesByEnd, starts: LineageStarts): bigint[] {
  const states: bigint[] = [];
  let reached = NOTHING_REACHED;
  for (const txid of files.ends) {
    const leading = files.at(txid).filter((file) => continues(file, reached, starts));
    if (leading.length === 0) continue;
    reached = reach(leading);
    states.push(txid);
  }
  return states;
}
