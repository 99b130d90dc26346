/**
 * Keys of a destination that the host reads itself. Of these a backend gets only `path`: it must not have a
 * key of its own with one of the other names.
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
