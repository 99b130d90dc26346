/** The kit's words, for tests of one backend beside the suite. */

export { bodyOf, CREATED_AT, held, list, pattern, read, ref } from '@sluice/backend-test-kit';
