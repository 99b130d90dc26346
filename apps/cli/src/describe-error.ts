/** An error as a person reads it: what went wrong, its code, and each issue on a line. */

import { isError, messageOf } from '@sluice/core';

export function describeError(error: unknown): string {
  if (!isError(error))
    return error instanceof Error ? (error.stack ?? error.message) : messageOf(error);
  const lines = [`${error.message} [${error.code}]`];
  for (const failure of error.failures ?? []) lines.push(`  ${failure.file}: ${failure.code}`);
  return lines.join('\n');
}
