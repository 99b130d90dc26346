/**
 * Keys of a destination that the host reads itself. A backend receives only `path` of them, and must not use
 * the other names for its own keys.
 */

export const HOST_KEYS: readonly string[] = [
  'type',
  'name',
  'path',
  'url',
  'sync-interval',
  'snapshot-interval',
  'enabled',
  'max-upload-bytes-per-second',
  'max-requests-per-second',
  'lease',
  'retention',
  'retention-check-interval',
  'validation-interval',
  'max-sync-ltx-files',
  'auto-recover',
  'age',
  'encryption',
];
