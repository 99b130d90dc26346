/** Copies of the sources of core with one planted bug, which a torture test must find. */

import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const CORE = path.resolve(fileURLToPath(new URL('.', import.meta.url)), '..', '..');

export interface Planted {
  /** Path relative to `src`. */
  readonly file: string;
  /** Text that occurs exactly once in the file. */
  readonly find: string;
  readonly replace: string;
}

/** Creates a folder of mutated sources. `remove` deletes it. */
export function plant(
  name: string,
  planted: readonly Planted[],
): { src: string; remove: () => void } {
  const folder = path.join(CORE, '.cache', 'mutants', `${name}-${process.pid}`);
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  fs.cpSync(path.join(CORE, 'src'), path.join(folder, 'src'), { recursive: true });
  fs.copyFileSync(path.join(CORE, 'package.json'), path.join(folder, 'package.json'));
  fs.symlinkSync(path.join(CORE, 'wasm'), path.join(folder, 'wasm'));
  for (const { file, find, replace } of planted) {
    const target = path.join(folder, 'src', file);
    const source = fs.readFileSync(target, 'utf8');
    if (source.split(find).length !== 2)
      throw new Error(`${file} must contain exactly once: ${find}`);
    fs.writeFileSync(
      target,
      source.replace(find, () => replace),
    );
  }
  return {
    src: path.join(folder, 'src'),
    remove: () => fs.rmSync(folder, { recursive: true, force: true }),
  };
}

export const CORE_SRC: string = path.join(CORE, 'src');

/** Bugs that the torture tests must find (design: planted errors). */
export const PLANTED = {
  gapBetweenReaders: [
    {
      file: 'database/sqlite/connections.ts',
      find: `    try {
      begin(this.#waiting);
    } catch`,
      replace: `    try {
      this.#holding.commit.run();
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 12);
      begin(this.#waiting);
      this.#holding.begin.run();
    } catch`,
    },
  ],
  imageWithoutFramesBefore: [
    {
      file: 'database/images/fuzzy-copy.ts',
      find: `if (held === 0 || header === undefined) return true;`,
      replace: `if (held >= 0 || header === undefined) return true;`,
    },
  ],
  resumeWithoutProof: [
    {
      file: 'database/continuity/proof.ts',
      find: `  if (isUntouched(known, file)) {`,
      replace: `  if (isUntouched(known, file) || evidence.log >= 0) {`,
    },
    {
      file: 'database/continuity/proof.ts',
      find: `  if (position.atRest) {`,
      replace: `  if (position.atRest || log >= 0) {`,
    },
  ],
  /** A start compares pages of the file that are older than frames in the log. */
  changedPagesWithoutFrames: [
    {
      file: 'database/checksums/changed-pages.ts',
      find: `      this.#compare(pgno, batch.page(index));`,
      replace: `      if (this.#most < 0) this.#compare(pgno, batch.page(index));`,
    },
  ],
  /** A file that was replaced while no process used it is accepted as the same file. */
  fileIsNotLookedAt: [
    {
      file: 'database/continuity/proof.ts',
      find: `  if (isUntouched(known, file)) {`,
      replace: `  if (isUntouched(known, file) || known.sizeBytes >= 0n) {`,
    },
  ],
} as const satisfies Record<string, readonly Planted[]>;

/** Bugs that show only with a small tail or a large transaction, as in the torture test. */
export const PLANTED_IN_THE_TAIL = {
  cutsInsideTransactions: [
    {
      file: 'database/following.ts',
      find: `if (tick.kind === 'held') this.#cutter.cutIfDue();`,
      replace: `this.#cutter.cutIfDue();`,
    },
  ],
  readerMovesOverSpilledFrames: [
    {
      file: 'database/cut/cutter.ts',
      find: `return this.#publisher.pinsLog || this.#tail.isSpilled;`,
      replace: `return this.#publisher.pinsLog && this.#tail.sizeBytes < 0;`,
    },
  ],
  /** Startup holds frames of a log that may restart by number, and does not verify them later. */
  spilledTailOfAStart: [
    {
      file: 'database/continuity/proof.ts',
      find: `  if (isUntouched(known, file)) {`,
      replace: `  if (isUntouched(known, file) || (typeof from !== 'string' && from.frame > 0)) {`,
    },
    {
      file: 'database/continuity/proof.ts',
      find: `  if (evidence.isSpilled && `,
      replace: `  if (evidence.isSpilled && evidence.log < 0 && `,
    },
    {
      file: 'database/cut/tail.ts',
      find: `    if (this.#log !== undefined && !isSameLog(this.#log, batch.header)) {`,
      replace: `    if (this.#log !== undefined && batch.first < 0 && !isSameLog(this.#log, batch.header)) {`,
    },
    {
      file: 'database/cut/cut.ts',
      find: `    if (wal.readPage(page, tail.log, into)) return;`,
      replace: `    if (wal.readPage(page, tail.log, into) || page > 0) return;`,
    },
  ],
} as const satisfies Record<string, readonly Planted[]>;
