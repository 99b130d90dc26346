/** The output of `-json` of the commands that describe databases, their replication and this installation. */

import { z } from 'zod';
import { code, count, destination, failure, names, path, time, txid } from './fields.ts';
import { state } from './restore.ts';

const kind = z.enum(['full', 'warm']);
const startedBy = z.enum(['schedule', 'command']).optional();

const drill = z.strictObject({
  result: z.enum(['ok', 'failed', 'inconclusive']),
  kind,
  at: time,
  age_seconds: count,
  ...state,
  restore_ms: z.number().nonnegative().optional(),
  loss_window_ms: z.number().nonnegative().optional(),
  problems: names,
  last_success_at: time.optional(),
  started_by: startedBy,
  failure: z.strictObject({ at: time, kind, started_by: startedBy, problems: names }).optional(),
  every_seconds: z.number().positive().optional(),
  overdue: z.boolean(),
});

const scrub = z.strictObject({
  started_at: time,
  running: z.boolean(),
  objects: count,
  bytes: count,
  last_success_at: time.optional(),
  damaged: z.array(
    z.strictObject({
      object: z.string(),
      code,
      why: z.string(),
      at: time,
      superseded: z.literal(true).optional(),
    }),
  ),
  mended: count,
});

const status = z.strictObject({
  database: path,
  status: z.enum(['ok', 'not initialized', 'no database', 'error']),
  local_txid: txid.optional(),
  wal_size: count,
  error: z.string().optional(),
  error_since: time.optional(),
  replicator: z.string(),
  commits_seen: count.optional(),
  healthy: z.boolean(),
  problems: names,
  repair: z
    .strictObject({
      at: time,
      age_seconds: count,
      result: z.enum(['whole', 'mended', 'open']),
      destinations: z.array(
        z.strictObject({
          name: z.string(),
          lacking: count,
          damaged: count,
          copied_files: count,
          copied_bytes: count,
        }),
      ),
    })
    .optional(),
  destinations: z.array(
    z.strictObject({
      ...destination.shape,
      state: z.string(),
      txid: txid.optional(),
      lag_seconds: z.number().nonnegative().optional(),
      size: count.optional(),
      files: count.optional(),
      retention_seconds: z.number().optional(),
      deleted_files: count.optional(),
      delete_error: z.string().optional(),
      fencing: z.string().optional(),
      last_success_at: time.optional(),
      last_error: z.string().optional(),
      last_error_at: time.optional(),
      drill: drill.optional(),
      scrub: scrub.optional(),
    }),
  ),
});

const replicate = z.strictObject({
  databases: z.array(
    z.strictObject({
      path,
      txid: txid.optional(),
      absence: z.enum(['no folder', 'no file', 'empty']).optional(),
      healthy: z.boolean(),
      problems: z.array(
        z.strictObject({
          stage: z.string(),
          destination: z.string().optional(),
          message: z.string(),
        }),
      ),
      error: z
        .strictObject({ code, message: z.string(), at: time, since: time.optional() })
        .optional(),
      destinations: z.array(
        z.strictObject({
          name: z.string(),
          target: z.string(),
          txid: txid.optional(),
          complete: z.enum(['complete', 'behind']),
          cause: z.strictObject({ code, message: z.string() }).optional(),
        }),
      ),
    }),
  ),
});

const config = z.union([
  z.strictObject({
    ok: z.literal(true),
    file: z.string(),
    problems: z.array(z.never()).max(0),
    notes: names,
    databases: z.array(
      z.strictObject({
        path,
        sync_interval: z.string(),
        destinations: z.array(destination),
      }),
    ),
  }),
  z.strictObject({
    ok: z.literal(false),
    problems: z
      .array(
        z.strictObject({
          line: count.optional(),
          key: z.string().optional(),
          message: z.string(),
        }),
      )
      .min(1),
  }),
]);

const migrated = z.strictObject({
  source: path,
  file: path,
  written: z.boolean(),
  keys: z.array(
    z.strictObject({ key: z.string(), becomes: z.string().nullable(), note: z.string() }),
  ),
  destinations: z.array(
    z.union([
      z.strictObject({
        database: path,
        ...destination.shape,
        ok: z.literal(true),
        txid: state.txid,
        generation: state.generation,
        timestamp: time,
        files: count,
        size: count,
        restored_ms: z.number().nonnegative().optional(),
      }),
      z.strictObject({
        database: path,
        ...destination.shape,
        ok: z.literal(false),
        ...failure.shape,
      }),
    ]),
  ),
  secret_files: z.array(path),
  text: z.string().optional(),
});

const error = z.string().optional();
const disk = z.strictObject({
  type: z.string().optional(),
  size: z.number().optional(),
  free: z.number().optional(),
  error,
});
const diagnose = z.strictObject({
  at: time,
  versions: z.record(z.string(), z.string()),
  machine: z.strictObject({
    cpus: count,
    load: z.array(z.number()),
    memory_bytes: count,
    free_memory_bytes: count,
    uptime_seconds: count,
    timezone: z.string(),
    uid: count.optional(),
  }),
  variables: names,
  configuration: z.strictObject({
    file: path.optional(),
    content: z.unknown().optional(),
    error,
  }),
  databases: z
    .array(
      z.strictObject({
        path,
        files: z.array(
          z.strictObject({
            file: path,
            size: count.optional(),
            changed_at: time.optional(),
            mode: z.string().optional(),
            uid: count.optional(),
            gid: count.optional(),
            error,
          }),
        ),
        disk,
        staging: z.strictObject({
          path,
          disk,
          files: count.optional(),
          bytes: count.optional(),
          error,
        }),
        status: status.optional(),
      }),
    )
    .optional(),
  log: z.strictObject({ file: z.string(), lines: names.optional(), error }).optional(),
});

export const STATUS_SCHEMAS: Readonly<Record<string, z.ZodType>> = {
  status: z.array(status),
  replicate,
  databases: z.array(
    z.strictObject({
      path,
      replica: z.string().optional(),
      destinations: z.array(destination),
    }),
  ),
  config,
  migrate: migrated,
  init: z.strictObject({ file: path, files: z.array(path).min(1) }),
  diagnose,
  // With -verbose, also what it runs on and the version of each package by its name.
  version: z.object({ version: z.string() }).catchall(z.string()),
};
