/** The output of `-json` of the commands that restore, and that show what can be restored. */

import { z } from 'zod';
import { code, count, failure, filename, generation, level, path, time, txid } from './fields.ts';

/** With -timestamp: the state after the one that was chosen. */
const moment = {
  requested: time.optional(),
  resolution_ms: count.optional(),
  next_txid: txid.optional(),
  next_timestamp: time.optional(),
  doubt: z.string().optional(),
};

/** With `txid`, or for a backup of Litestream 0.3 with `generation` and `position`. */
export const state = {
  txid: txid.optional(),
  generation: generation.optional(),
  position: z.string().optional(),
};

const restored = z.strictObject({
  db_path: z.string(),
  replica: z.string(),
  ...state,
  ...moment,
  duration_ms: count,
  integrity_check: z.enum(['none', 'quick', 'full']),
  target: z.string(),
  timestamp: time,
  files_read: count,
  bytes_read: count,
  sources: z.array(
    z.strictObject({ replica: z.string(), target: z.string(), files: count, bytes: count }),
  ),
  avoided: z.array(
    z.strictObject({
      file: z.string(),
      source: z.string().optional(),
      code,
      message: z.string(),
    }),
  ),
  left_out: z.array(z.strictObject({ replica: z.string(), ...failure.shape })).optional(),
  resumed_bytes: count.optional(),
  kept: path.optional(),
  kept_wal: path.optional(),
  owner: z
    .strictObject({ uid: count, gid: count, like: z.enum(['replaced file', 'folder']) })
    .optional(),
  maybe_newer_at: z
    .array(
      z.strictObject({
        replica: z.string(),
        target: z.string(),
        ...failure.shape,
        txid: txid.optional(),
      }),
    )
    .optional(),
  still_open_in: z.array(z.strictObject({ pid: count, name: z.string().optional() })).optional(),
});

/** -dry-run. */
const plan = z.strictObject({
  source: z.string(),
  target_path: z.string(),
  replica: z.string(),
  min_txid: txid,
  max_txid: txid,
  ...moment,
  files: z.array(
    z.strictObject({
      replica: z.string().optional(),
      level,
      name: filename,
      min_txid: txid,
      max_txid: txid,
      size: count,
      timestamp: time,
    }),
  ),
});

/** -dry-run, for a backup of Litestream 0.3. */
const oldPlan = z.strictObject({
  source: z.string(),
  target_path: z.string(),
  replica: z.string(),
  generation,
  timestamp: time,
  files: z.array(z.strictObject({ name: z.string(), size: count, timestamp: time })),
});

const skipped = z.union([
  z.strictObject({ db_path: z.string(), skipped: z.literal('exists') }),
  z.strictObject({ skipped: z.literal('no backup'), looked_at: z.array(z.string()) }),
]);

const copied = {
  txid,
  timestamp: time,
  lag_ms: count.optional(),
};
const from = { replica: z.string() };
/** With -f, a line for each event. */
const followed = z.discriminatedUnion('event', [
  z.strictObject({
    event: z.literal('restored'),
    db_path: z.string(),
    ...from,
    txid,
    timestamp: time,
    duration_ms: count,
    files_read: count,
    bytes_read: count,
    kept: path.optional(),
  }),
  z.strictObject({ event: z.literal('following'), ...copied }),
  z.strictObject({ event: z.enum(['current', 'recovered']), ...from, ...copied }),
  z.strictObject({ event: z.literal('applied'), ...from, ...copied, files: count, bytes: count }),
  z.strictObject({
    event: z.literal('rebased'),
    ...from,
    ...copied,
    reason: z.string(),
    bytes: count,
  }),
  z.strictObject({ event: z.literal('older'), ...from, ...copied, highest: txid }),
  z.strictObject({ event: z.literal('failing'), ...from, ...copied, ...failure.shape }),
  z.strictObject({ event: z.literal('avoided'), ...failure.shape }),
  z.strictObject({ event: z.literal('blocked') }),
]);

const dated = z.strictObject({ txid, timestamp: time });
const replica = { replica: z.string(), target: z.string() };
/** null: nothing is deleted. Absent: a URL was given, or nothing is known. */
const kept = { retention_seconds: z.number().nullable().optional() };
const history = z.union([
  z.strictObject({
    ...replica,
    ...kept,
    first: dated,
    newest: dated,
    moments_total: count,
    moments: z.array(z.strictObject({ ...dated.shape, level })),
    spans_total: count,
    spans: z.array(
      z.strictObject({
        level,
        from: dated,
        to: dated,
        files: count,
        resolution_ms: z.int().optional(),
      }),
    ),
    gaps_total: count,
    gaps: z.array(
      z.strictObject({
        from_txid: txid,
        to_txid: txid,
        before: dated.optional(),
        after: dated.optional(),
      }),
    ),
    snapshots_total: count,
    snapshots: z.array(z.strictObject({ ...dated.shape, size: count })),
    levels: z.array(z.strictObject({ level, files: count, size: count })),
    doubt: z.string().optional(),
    unreadable: z.array(z.strictObject({ file: z.string(), code, message: z.string() })).optional(),
  }),
  // A backup of Litestream 0.3.
  z.strictObject({
    ...replica,
    ...kept,
    moments: z.array(z.strictObject({ generation, timestamp: time })),
    generations: z.array(
      z.strictObject({
        generation,
        first: time.optional(),
        newest: time.optional(),
        snapshots: count,
        segments: count,
        size: count,
      }),
    ),
  }),
  // No backup.
  z.strictObject({
    ...replica,
    ...kept,
    moments_total: z.literal(0),
    levels: z.array(z.never()).max(0),
  }),
  z.strictObject({ ...replica, error: failure }),
]);

export const RESTORE_SCHEMAS: Readonly<Record<string, z.ZodType>> = {
  restore: z.union([restored, plan, oldPlan, skipped, followed]),
  promote: z.strictObject({
    db_path: z.string(),
    txid,
    timestamp: time,
    journal_mode: z.enum(['wal', 'rollback']),
  }),
  history: z.array(history),
  ltx: z.array(
    z.strictObject({
      level,
      min_txid: txid,
      max_txid: txid,
      size: count,
      timestamp: time,
      name: filename,
      replica: z.string(),
    }),
  ),
  generations: z.array(
    z.strictObject({
      replica: z.string(),
      generation,
      snapshots: count,
      segments: count,
      size: count,
      start: time,
      end: time,
    }),
  ),
};
