/** An error as a person reads it: what went wrong, its code, each part of it on a line. */

import { isError } from '@sluice/core/backend';

export function describeError(error: unknown): string {
  if (!isError(error)) return describeUnexpected(error);
  // What is wrong with a command line begins with its command.
  const who = error.message.startsWith('sluice ') ? '' : 'sluice: ';
  const lines = [`${who}${error.message} (${error.code})`];
  for (const { file, code, message } of error.failures ?? []) {
    lines.push(`  ${file}: ${message ?? 'failed'} (${code})`);
  }
  return lines.join('\n');
}

/** What the system refuses is no fault of ours. For all else whoever reports it has the stack. */
function describeUnexpected(error: unknown): string {
  if (!(error instanceof Error)) return `sluice: ${String(error)}`;
  const { code } = error as NodeJS.ErrnoException;
  if (typeof code === 'string' && /^E[A-Z0-9]+$/.test(code)) {
    return `sluice: ${error.message}; check the path, its rights, and its disk`;
  }
  return `sluice: this is a fault of Sluice: please report it\n${error.stack ?? error.message}`;
}
