/** An error as a person reads it: what went wrong, its code, each part of it on a line. */

import { isError } from '@sluice/core/backend';

export function describeError(error: unknown): string {
  if (!isError(error))
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  // What is wrong with a command line begins with its command.
  const who = error.message.startsWith('sluice ') ? '' : 'sluice: ';
  const lines = [`${who}${error.message} (${error.code})`];
  for (const { file, code, message } of error.failures ?? []) {
    lines.push(`  ${file}: ${message ?? 'failed'} (${code})`);
  }
  return lines.join('\n');
}
