/** The output of `-json` of the commands for a running replicator. */

import { z } from 'zod';
import { code, count, names, path, time, txid } from './fields.ts';

const ended = z.strictObject({
  path,
  status: z.enum([
    'stopped',
    'already_stopped',
    'would_stop',
    'unregistered',
    'already_unregistered',
    'would_unregister',
  ]),
  txid: txid.optional(),
  complete: names.optional(),
  behind: names.optional(),
});

export const CONTROL_SCHEMAS: Readonly<Record<string, z.ZodType>> = {
  sync: z.array(
    z.strictObject({
      path,
      status: z.enum(['synced', 'synced_local']),
      txid,
      destinations: names,
    }),
  ),
  info: z.array(
    z.strictObject({
      version: z.string(),
      pid: count,
      started_at: time,
      uptime_seconds: count,
      control: path.optional(),
      database_count: count,
      databases: z.array(
        z.strictObject({ path, state: z.string(), txid: txid.optional(), healthy: z.boolean() }),
      ),
    }),
  ),
  list: z.strictObject({
    databases: z.array(
      z.strictObject({
        path,
        status: z.enum(['replicating', 'starting', 'stopping', 'stopped', 'failed']),
        origin: z.enum(['configuration', 'directory', 'registered']),
        state: z
          .enum(['opening', 'waiting', 'following', 'imaging', 'failing', 'ended'])
          .optional(),
        txid: txid.optional(),
        healthy: z.boolean().optional(),
        last_sync_at: time.optional(),
        destinations: names,
        error: z.string().optional(),
      }),
    ),
  }),
  start: z.strictObject({ path, status: z.enum(['started', 'already_running']) }),
  stop: ended,
  unregister: ended,
  register: z.strictObject({
    path,
    status: z.enum(['registered', 'already_registered', 'would_register']),
    destinations: z.array(z.strictObject({ name: z.string(), target: z.string() })),
  }),
  snapshot: z.array(
    z.strictObject({ path, snapshot: z.enum(['ordered', 'under way', 'not following']) }),
  ),
  reset: z.strictObject({
    path,
    status: z.enum(['reset', 'would_reset']),
    files: count,
    bytes: count,
    running: z.boolean(),
  }),
  reload: z.strictObject({
    config: path,
    status: z.enum(['reloaded', 'unchanged', 'would_reload']),
    added: z.array(path),
    removed: z.array(path),
    changed: z.array(path),
    rescheduled: z.array(path),
    unchanged: count,
    needs_restart: names,
    failed: z.array(z.strictObject({ path, code, message: z.string() })),
  }),
  reseed: z.array(
    z.strictObject({
      path,
      destination: z.string(),
      reseed: z.enum(['accepted', 'not needed']),
      running: z.boolean(),
    }),
  ),
};
