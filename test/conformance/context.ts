/** The kit's words, for tests of one backend beside the suite. */

export {
  bodyOf,
  bodyThat,
  CREATED_AT,
  held,
  inParallel,
  list,
  pattern,
  read,
  ref,
} from '@sluice/backend-test-kit';
