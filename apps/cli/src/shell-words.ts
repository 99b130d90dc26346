/**
 * A command line as words, in the manner of a shell that has no variables and no operators:
 *
 *  white space   ends a word
 *  '…'           is taken as it stands
 *  "…"           is taken as it stands, but for \" and \\
 *  \x            is x
 *  ; & | < > ( ) ` $( )  are refused outside quotes: no shell is there to mean anything by them
 */

import { ReplicationError } from '@sluice/core/backend';

const OPERATOR = /[;&|<>()`]/;

/** CONFIG_INVALID where a quote is not closed, or a shell is needed. */
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
  return invalid(
    `"${operator}" means something to a shell only: write sh -c '…', or quote it: ${line}`,
  );
}

function invalid(message: string): ReplicationError {
  return new ReplicationError('CONFIG_INVALID', `-exec: ${message}`);
}
