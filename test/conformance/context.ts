/** The kit's words, for tests of one backend beside the suite. */

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
