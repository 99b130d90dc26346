/** The output of `-json` of the commands that prove, compare and mend backups. */

import { z } from 'zod';
import { code, count, names, object, path, time, txid } from './fields.ts';
import { state } from './restore.ts';

const comparison = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('equal'), pages: count, skipped: count }),
  z.strictObject({ kind: z.literal('different'), pages: count, first: count }),
  z.strictObject({ kind: z.literal('not compared'), why: z.string() }),
]);

const drill = z.strictObject({
  database: path.optional(),
  name: z.string(),
  type: z.string(),
  target: z.string(),
  result: z.enum(['ok', 'failed', 'inconclusive']),
  kind: z.enum(['full', 'warm']),
  at: time,
  ...state,
  timestamp: time.optional(),
  newest_txid: txid.optional(),
  restore_ms: z.number().nonnegative().optional(),
  loss_window_ms: z.number().nonnegative().optional(),
  files_listed: count.optional(),
  files_read: count.optional(),
  bytes_read: count.optional(),
  size: count.optional(),
  assertions: z.array(
    z.strictObject({ sql: z.string(), holds: z.boolean(), failure: z.string().optional() }),
  ),
  comparison,
  problems: z.array(
    z.strictObject({
      message: z.string(),
      code: code.optional(),
      object: z.string().optional(),
    }),
  ),
});

const file = z.strictObject({ file: object, code, why: z.string() });
const repair = z.strictObject({
  database: path,
  result: z.enum(['whole', 'mended', 'open']),
  dry_run: z.boolean(),
  destinations: z.array(
    z.strictObject({
      replica: z.string(),
      target: z.string(),
      files: count,
      lacking: count,
      damaged: z.array(file),
      still_damaged: z.array(object),
      copied: z.array(
        z.strictObject({
          file: object,
          reason: z.enum(['missing', 'damaged']),
          from: z.string(),
          size: count,
        }),
      ),
      failures: z.array(file),
      unread: z.array(file),
      stuck_at: txid.optional(),
    }),
  ),
  lost: z.array(
    z.strictObject({ why: z.enum(['damaged', 'missing']), from_txid: txid, to_txid: txid }),
  ),
  conflicts: z.array(z.strictObject({ file: object, replicas: names })),
  histories: z.array(names),
  unanswered: z.array(z.strictObject({ replica: z.string(), code, why: z.string() })),
});

const check = z.strictObject({
  name: z.string(),
  type: z.string(),
  target: z.string(),
  others: count,
  path: z.string(),
  ok: z.boolean(),
  features: z.array(
    z.strictObject({
      feature: z.enum([
        'reach',
        'write',
        'list',
        'read',
        'ranges',
        'large',
        'abort',
        'if-absent',
        'if-absent-large',
        'objects',
        'if-version',
        'delete',
      ]),
      verdict: z.enum(['works', 'does not', 'not judged']),
      seen: z.string(),
      next: z.string().optional(),
      code: code.optional(),
      missing: z.enum(['list', 'read', 'write', 'replace', 'delete', 'abort']).optional(),
    }),
  ),
  write_ms: z.number().optional(),
  read_ms: z.number().optional(),
  up_bytes_per_second: z.number().optional(),
  down_bytes_per_second: z.number().optional(),
  left: names,
});

const amount = z.number().nonnegative();
const cost = z.strictObject({
  replica: z.string(),
  target: z.string(),
  workload: z.strictObject({
    commits_per_hour: amount,
    bytes_per_commit: count,
    snapshot_bytes: amount,
    hot_bytes: amount,
    restores_per_month: amount,
    observed_ms: amount.optional(),
  }),
  settings: z.strictObject({
    sync_interval_ms: amount,
    levels_ms: z.array(amount),
    snapshot_interval_ms: amount.nullable(),
    // null: nothing is deleted
    retention_ms: amount.nullable(),
    l0_retention_ms: amount.nullable(),
  }),
  requests_per_month: z.strictObject({ put: count, get: count, list: count, delete: count }),
  deleted_files_per_month: count,
  sent_bytes_per_month: count,
  read_bytes_per_month: count,
  stored_bytes: count,
  stored_files: count,
  levels: z.array(
    z.strictObject({
      level: count,
      files_per_hour: amount,
      bytes_per_file: count,
      stored_files: count,
    }),
  ),
  prices: z.strictObject({
    provider: z.string(),
    name: z.string(),
    date: z.string().optional(),
    verified: z.boolean().optional(),
    source: z.string(),
  }),
  money_per_month: z.strictObject({
    currency: z.enum(['USD', 'EUR']),
    storage: amount,
    put: amount,
    get: amount,
    list: amount,
    delete: amount,
    egress: amount,
    total: amount,
  }),
});

export const PROOF_SCHEMAS: Readonly<Record<string, z.ZodType>> = {
  drill: z.array(drill),
  repair: z.array(repair),
  check: z.array(check),
  cost: z.array(cost),
  rekey: z.array(
    z.strictObject({ replica: z.string(), target: z.string(), files: count, size: count }),
  ),
  decrypt: z.strictObject({
    from: z.string(),
    to: z.string(),
    written: count,
    kept: count,
    size: count,
  }),
};
