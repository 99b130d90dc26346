/** Formats an error for people: the message and the code, then one line for each failed file. */

import { isError } from '@sluice/core/backend';

export function describeError(error: unknown): string {
  if (!isError(error)) return describeUnexpected(error);
  // Errors about a command line already start with the name of the command.
  const who = error.message.startsWith('sluice ') ? '' : 'sluice: ';
  const lines = [`${who}${error.message} (${error.code})`];
  for (const { file, code, message } of error.failures ?? []) {
    lines.push(`  ${file}: ${message ?? 'failed'} (${code})`);
  }
  return lines.join('\n');
}

/**
 * An error of the operating system is not a bug in Sluice. All others are printed with their stack.
 */
function describeUnexpected(error: unknown): string {
  if (!(error instanceof Error)) return `sluice: ${String(error)}`;
  const { code } = error as NodeJS.ErrnoException;
  if (typeof code === 'string' && /^E[A-Z0-9]+$/.test(code)) {
    return `sluice: ${error.message}; check the path, its permissions and its disk`;
  }
  return `sluice: this is a bug in Sluice: please report it\n${error.stack ?? error.message}`;
}
