/**
 * What the author of a backend may import for its schema: fields and rules, made with zod. Apart from
 * `@sluice/core/backend`, so that only those load zod who want it.
 */

export { whatIsWrongWithBucket } from './config/bucket.ts';
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
  Wrong,
  type ConfigField,
  type EndpointOptions,
  type FieldOptions,
  type NumberOptions,
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
