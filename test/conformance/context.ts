/** Helpers of the kit, for tests of a single backend. */

export {
  assertBytes,
  bodyOf,
  bodyWithAction,
  CREATED_AT,
  readIfPresent,
  inParallel,
  list,
  pattern,
  read,
  ref,
  rejectsWith,
} from '@sluice/backend-test-kit';
