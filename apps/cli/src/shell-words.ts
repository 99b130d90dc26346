/**
 * Splits a command line into words, like a shell without variables and operators:
 *
 *  white space   ends a word
 *  '…'           is taken literally
 *  "…"           is taken literally, except for \" and \\
 *  \x            is x
 *  ; & | < > ( ) ` $( )  are refused outside quotes, because there is no shell to run them
 */

import { ReplicationError } from '@sluice/core/backend';

const OPERATOR = /[;&|<>()`]/;

/** CONFIG_INVALID if a quote is not closed, or a shell is needed. */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let index = 0;
  const take = (): string => line[index++] ?? '';
  while (index < line.length) {
    const letter = take();
    if (/\s/.test(letter)) {
      if (word !== undefined) words.push(word);
      word = undefined;
      continue;
    }
    word ??= '';
    if (letter === "'") word += untilQuote(take, "'", line);
    else if (letter === '"') word += untilQuote(take, '"', line);
    else if (letter === '\\') word += take();
    else if (OPERATOR.test(letter)) throw needsShell(line, letter);
    else word += letter;
  }
  if (word !== undefined) words.push(word);
  return words;
}

function untilQuote(take: () => string, quote: '"' | "'", line: string): string {
  let text = '';
  for (;;) {
    const letter = take();
    if (letter === '') throw invalid(`the quote ${quote} is not closed: ${line}`);
    if (letter === quote) return text;
    if (letter !== '\\' || quote === "'") {
      text += letter;
      continue;
    }
    const next = take();
    text += next === '"' || next === '\\' ? next : `\\${next}`;
  }
}

function needsShell(line: string, operator: string): ReplicationError {
  return invalid(`"${operator}" only works in a shell: write sh -c '…', or quote it: ${line}`);
}

function invalid(message: string): ReplicationError {
  return new ReplicationError('CONFIG_INVALID', message);
}
