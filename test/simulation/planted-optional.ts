/** Errors that only optional actors can find. */

import type { PlantedError } from './planted-error.ts';

/** The two writers begin after them. */
const FEW_STEPS = 8;

export const PLANTED_IN_OPTIONAL_ACTORS = {
  /** The merged files of an encrypted destination are not encrypted. */
  mergedFilesInPlainText: {
    breaks: ['nothing readable'],
    actors: ['encryption'],
    sources: [
      {
        file: 'replicate/destination/sender.ts',
        find: 'if (encrypted !== undefined) {',
        replace: 'if (encrypted !== undefined && ref.level === 0) {',
      },
      {
        file: 'encryption/encrypted-client.ts',
        find: '|| body.createdAt === undefined) {',
        replace: '|| body.createdAt !== null) {',
      },
    ],
  },
  /** Staged files of level 0 are freed before they are merged. */
  mergeInputsFreed: {
    breaks: ['levels advance'],
    foundBy: 2,
    actors: ['merging'],
    sources: [
      {
        file: 'replicate/staged-files.ts',
        find: 'needsSnapshot === undefined ? this.#context.keepsAfter() : undefined',
        replace: 'needsSnapshot === undefined ? undefined : this.#context.keepsAfter()',
      },
    ],
  },
  /** A change of a warm copy has no journal. */
  copyWithoutJournal: {
    breaks: ['warm copy'],
    actors: ['follower'],
    sources: [
      {
        file: 'warm-copy/copy.ts',
        find: 'await files.rename(nextJournal, journal);',
        replace: 'await files.remove(nextJournal);',
      },
    ],
  },
  /** The state before a change is not in the record of a warm copy. */
  copyForgetsStateBefore: {
    breaks: ['warm copy'],
    actors: ['follower'],
    sources: [
      {
        file: 'warm-copy/copy.ts',
        find: 'await this.#record([this.#state, next]);',
        replace: 'await this.#record([next, next]);',
      },
    ],
  },
  /** A drill does not compare with what was sent. */
  drillIgnoresSent: {
    foundBy: 13,
    breaks: ['drill'],
    actors: ['drill'],
    sources: [
      {
        file: 'drill/sent.ts',
        find: 'if (sent !== undefined && sent.txid > newest.txid) {',
        replace: 'if (sent !== undefined && sent.txid < 0n) {',
      },
    ],
  },
  /** The lease is not asked before a write. */
  leaseNotAsked: {
    breaks: ['one writer', 'one history'],
    foundBy: 10,
    actors: ['writers'],
    steps: FEW_STEPS,
    sources: [
      {
        file: 'replicate/destination/lease-renewal.ts',
        find: 'if (mayBegin === undefined) return replica;',
        replace: 'if (mayBegin !== null) return replica;',
      },
    ],
  },
  /** A lease is taken over before its time has passed. */
  takeOverEarly: {
    breaks: ['one writer', 'one history'],
    actors: ['writers'],
    steps: FEW_STEPS,
    sources: [
      {
        file: 'replicate/ownership/lease.ts',
        find: 'this.#seen.since >= lease.ttlMs ?',
        replace: 'this.#seen.since >= lease.ttlMs / 2 ?',
      },
    ],
  },
  /** A replicator that waits counts by the wall clock. */
  waitsByWallClock: {
    breaks: ['one writer', 'one history'],
    foundBy: 4,
    actors: ['writers'],
    steps: FEW_STEPS,
    sources: [
      {
        file: 'replicate/ownership/lease.ts',
        find: `[run, lease.renewals].join();
    const now = this.#clock.monotonic();`,
        replace: `[run, lease.renewals].join();
    const now = this.#clock.now();`,
      },
    ],
  },
  /** The holder counts by the wall clock alone. */
  holdsByWallClock: {
    breaks: ['one writer', 'one history'],
    foundBy: 10,
    actors: ['writers'],
    steps: FEW_STEPS,
    sources: [
      {
        file: 'replicate/ownership/lease.ts',
        find: 'clock.monotonic() - monotonic < ttlMs &&',
        replace: 'monotonic > -1 &&',
      },
    ],
  },
} as const satisfies Record<string, PlantedError>;
