/** Colors for people: only on a terminal, and not if NO_COLOR is set (no-color.org). */

import { styleText } from 'node:util';
import type { Shell } from './shell.ts';

const COLORS: Readonly<Record<string, 'green' | 'yellow' | 'red' | 'gray'>> = {
  ok: 'green',
  behind: 'yellow',
  empty: 'yellow',
  'not initialized': 'yellow',
  disabled: 'gray',
};

/** `text` in the color of a state; any other state than these is a failure. */
export function colored({ stdout, environment }: Shell, state: string, text: string): string {
  const isPlain = (environment['NO_COLOR'] ?? '') !== '' || environment['TERM'] === 'dumb';
  const isTerminal = 'isTTY' in stdout && stdout.isTTY === true;
  if (isPlain || !isTerminal) return text;
  return styleText(COLORS[state] ?? 'red', text, { validateStream: false });
}
