/**
 * Helpers for the schema of a backend: fields and rules made with zod. This entry loads zod; `@sluice/core/backend` does not.
 */

export { problemWithBucket } from './config/bucket.ts';
export {
  boolean,
  bucketName,
  choice,
  duration,
  endpoint,
  field,
  filePath,
  integer,
  keyPath,
  secret,
  secretFile,
  size,
  text,
  texts,
  Invalid,
  type ConfigField,
  type EndpointOptions,
  type FieldOptions,
  type NumberOptions,
  type SizeOptions,
  type TextOptions,
} from './config/fields.ts';
export {
  exclusive,
  isGiven,
  requires,
  rules,
  together,
  type AddIssue,
  type Rule,
} from './config/rules.ts';
