/** Whether a command of the configuration can be run. */

import { messageOf } from '@sluice/core/backend';
import { splitWords } from '../../shell-words.ts';

/** What is wrong with it; undefined if nothing is. */
export function problemWithCommand(written: string): string | undefined {
  try {
    return splitWords(written).length === 0 ? 'has no command' : undefined;
  } catch (error) {
    return `cannot be run: ${messageOf(error)}`;
  }
}
