/**
 * Keys of a replica that whoever runs a backend reads itself. A backend is given `type` and `path` of
 * them, and none of the others: a key of its own by such a name would never reach it.
 */

export const HOST_KEYS: readonly string[] = [
  'type',
  'name',
  'path',
  'url',
  'sync-interval',
  'snapshot-interval',
  'retention',
  'retention-check-interval',
  'validation-interval',
  'max-sync-ltx-files',
  'auto-recover',
  'age',
];
