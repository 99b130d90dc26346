/** Helpers of the kit, for tests of a single backend. */

export {
  assertBytes,
  bodyOf,
  bodyThat,
  CREATED_AT,
  held,
  inParallel,
  list,
  pattern,
  read,
  ref,
  rejectsWith,
} from '@sluice/backend-test-kit';
