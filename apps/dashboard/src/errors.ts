/** Errors of core, by their code: this package needs only the types of core. */

import type { ErrorCode } from '@sluice/core';

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** undefined for an error of something else. */
export function codeOf(error: unknown): ErrorCode | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  const { code } = error;
  return typeof code === 'string' && /^[A-Z]+(_[A-Z]+)+$/.test(code)
    ? (code as ErrorCode)
    : undefined;
}
