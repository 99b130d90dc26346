/**
 * The record beside a warm copy: which state of the backup it holds.
 *
 * It has two states while a change is being written: the one before it and the one after it. It is written
 * before the change, so it is true at any moment of a crash: the copy itself shows, by its size and a
 * checksum of its page 1, which of the two it holds. If it is neither, another program wrote to the copy.
 */

import { threadKernel } from '../kernel/kernel.ts';
import { messageOf, ReplicationError } from '../error.ts';
import { readText, writeDurably, type FileSystem } from '../file-system.ts';
import { formatTXID, parseTXID, type TXID } from '../ltx/txid.ts';
import type { StoredMode } from './first-page.ts';

/** What identifies a state in the file itself. */
export interface CopyMarks {
  readonly sizeBytes: number;
  /** CRC-64 of page 1, which has a random change counter. */
  readonly firstPage: bigint;
}

/** The last LTX file of a state. */
export interface LastFile {
  readonly level: number;
  readonly minTXID: TXID;
  readonly maxTXID: TXID;
  readonly sizeBytes: number;
  readonly checksum: bigint;
}

export interface CopyState {
  readonly txid: TXID;
  /** 0 if unknown. */
  readonly lineage: bigint;
  /** Time of the commit, in ms since 1970, by the clock of its writer. */
  readonly timestampMs: number;
  readonly last: LastFile;
  readonly marks: CopyMarks;
  /** Journal mode of the source, for a promotion. */
  readonly sourceMode: StoredMode;
}

export interface Position {
  /** `promoting`: the copy is becoming an ordinary database, and is not followed any more. */
  readonly kind: 'following' | 'promoting';
  /** One or two. */
  readonly states: readonly CopyState[];
}

const VERSION = 1;

export function marksOf(sizeBytes: number, firstPage: Uint8Array): CopyMarks {
  return { sizeBytes, firstPage: threadKernel().crc64(firstPage) };
}

/** The state that the copy holds; undefined if another program wrote to it. */
export function findState({ states }: Position, marks: CopyMarks): CopyState | undefined {
  return states.find(
    (state) =>
      state.marks.sizeBytes === marks.sizeBytes && state.marks.firstPage === marks.firstPage,
  );
}

/** undefined if there is none. DATABASE_REPLACED if the file cannot be understood. */
export async function readPosition(files: FileSystem, file: string): Promise<Position | undefined> {
  const text = await readText(files, file);
  if (text === undefined) return undefined;
  try {
    return parsePosition(text);
  } catch (error) {
    throw new ReplicationError(
      'DATABASE_REPLACED',
      `read ${file}, which records the state of the copy: ${messageOf(error)}; ` +
        'restore the copy again: sluice restore -f -force',
      { cause: error },
    );
  }
}

export async function writePosition(
  files: FileSystem,
  file: string,
  position: Position,
): Promise<void> {
  await writeDurably(files, file, formatPosition(position));
}

export function formatPosition({ kind, states }: Position): string {
  const stored = states.map(({ txid, lineage, timestampMs, last, marks, sourceMode }) => ({
    txid: formatTXID(txid),
    lineage: hex(lineage),
    timestampMs,
    last: {
      ...last,
      minTXID: formatTXID(last.minTXID),
      maxTXID: formatTXID(last.maxTXID),
      checksum: hex(last.checksum),
    },
    marks: { sizeBytes: marks.sizeBytes, firstPage: hex(marks.firstPage) },
    sourceMode,
  }));
  return `${JSON.stringify({ version: VERSION, kind, states: stored }, undefined, 1)}\n`;
}

/** Throws an Error that says what is wrong. */
export function parsePosition(text: string): Position {
  const root = toRecord(JSON.parse(text), 'it');
  if (root['version'] !== VERSION) throw new Error(`its version is not ${VERSION}`);
  const { kind, states } = root;
  if (kind !== 'following' && kind !== 'promoting') throw new Error('its kind is unknown');
  if (!Array.isArray(states) || states.length < 1 || states.length > 2) {
    throw new Error('it must have one or two states');
  }
  return { kind, states: states.map(toState) };
}

function toState(value: unknown): CopyState {
  const state = toRecord(value, 'a state');
  const last = toRecord(state['last'], 'last');
  const marks = toRecord(state['marks'], 'marks');
  const { sourceMode } = state;
  if (sourceMode !== 'wal' && sourceMode !== 'rollback') throw new Error('sourceMode is unknown');
  return {
    txid: toTXID(state['txid']),
    lineage: toBits(state['lineage']),
    timestampMs: toNumber(state['timestampMs']),
    last: {
      level: toNumber(last['level']),
      minTXID: toTXID(last['minTXID']),
      maxTXID: toTXID(last['maxTXID']),
      sizeBytes: toNumber(last['sizeBytes']),
      checksum: toBits(last['checksum']),
    },
    marks: {
      sizeBytes: toNumber(marks['sizeBytes']),
      firstPage: toBits(marks['firstPage']),
    },
    sourceMode,
  };
}

function toRecord(value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  throw new Error(`${name} is not an object`);
}

function toNumber(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new Error(`${String(value)} is not a number`);
}

function toTXID(value: unknown): TXID {
  return parseTXID(String(value));
}

function toBits(value: unknown): bigint {
  if (typeof value === 'string' && /^[0-9a-f]{16}$/.test(value)) return BigInt(`0x${value}`);
  throw new Error(`${String(value)} is not 16 hex digits`);
}

function hex(bits: bigint): string {
  return bits.toString(16).padStart(16, '0');
}
