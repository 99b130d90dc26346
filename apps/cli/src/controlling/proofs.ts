/** Input and answers of drill and repair, when the running replicator does them. Pure. */

import type { Part } from '@sluice/core';
import { ReplicationError } from '@sluice/core/backend';
import type { Drilled } from '../drilling/describe.ts';
import type { DrillProgress } from '../drilling/order.ts';
import type { RepairAnswer, RepairProgress } from '../repairing/order.ts';

/** A drill of one destination. */
export interface DrillInput {
  readonly path: string;
  /** Name of the destination. */
  readonly replica: string;
  /** "latest", "random" or a time, in RFC 3339. */
  readonly at: string;
  /** Instead of `at`: 16 hex digits. */
  readonly txid?: string | undefined;
  readonly integrity_check: 'none' | 'quick' | 'full';
  readonly assertions: readonly string[];
}

export interface RepairInput {
  readonly path: string;
  readonly dry_run?: boolean | undefined;
  readonly read: 'ends' | 'all' | Part;
}

/** The answer of `drill` is one row, and that of `repair` one object of its JSON. */
export type { Drilled, RepairAnswer };

/** What arrives before the answer; with nothing in it, the work has not begun or says nothing. */
export interface ProofProgress {
  readonly drill?: DrillProgress | undefined;
  readonly repair?: RepairProgress | undefined;
  /** Another drill runs. */
  readonly waits?: true | undefined;
}

const CHECKS = ['none', 'quick', 'full'] as const;
const TXID = /^[0-9a-fA-F]{16}$/;

/** CONFIG_INVALID if another program has sent something else. */
export function parseDrillInput(input: unknown): DrillInput {
  const { path, replica, at, txid, integrity_check, assertions } = asObject(input);
  const check = CHECKS.find((each) => each === integrity_check);
  const isTXID = txid === undefined || (typeof txid === 'string' && TXID.test(txid));
  const isNamed = typeof path === 'string' && typeof replica === 'string';
  const isComplete = isNamed && typeof at === 'string' && check !== undefined && isTXID;
  if (isComplete && isTexts(assertions)) {
    return { path, replica, at, txid, integrity_check: check, assertions };
  }
  throw invalid(
    'drill',
    '{"path":"/data/app.db","replica":"NAME","at":"latest","integrity_check":"quick","assertions":[]}',
  );
}

/** CONFIG_INVALID if another program has sent something else. */
export function parseRepairInput(input: unknown): RepairInput {
  const { path, dry_run, read = 'ends' } = asObject(input);
  const isDry = dry_run === undefined || typeof dry_run === 'boolean';
  if (typeof path === 'string' && isDry && isRead(read)) return { path, dry_run, read };
  throw invalid('repair', '{"path":"/data/app.db","dry_run":true,"read":"ends"}');
}

function isRead(read: unknown): read is RepairInput['read'] {
  if (read === 'ends' || read === 'all') return true;
  const { number, count } = asObject(read);
  const areNumbers = Number.isInteger(number) && Number.isInteger(count);
  return areNumbers && Number(number) >= 1 && Number(number) <= Number(count);
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

function asObject(input: unknown): Partial<Record<string, unknown>> {
  return typeof input === 'object' && input !== null ? input : {};
}

function invalid(command: string, form: string): ReplicationError {
  return new ReplicationError('CONFIG_INVALID', `run ${command}: its input is ${form}`);
}
