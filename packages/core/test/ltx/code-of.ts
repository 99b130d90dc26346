import { isError } from '../../src/error.ts';

/** The error code of `call`, or 'none' if it succeeds. Rethrows errors without a code. */
export function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (isError(error)) return error.code;
    throw error;
  }
  return 'none';
}
