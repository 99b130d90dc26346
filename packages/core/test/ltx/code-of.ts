import { isError } from '../../src/error.ts';

/** The code with which `call` ends: 'none' if it ends well. Anything but a coded error goes through. */
export function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    if (isError(error)) return error.code;
    throw error;
  }
  return 'none';
}
