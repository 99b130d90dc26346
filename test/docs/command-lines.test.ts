/** Every command line of `sluice` in a page is one that the command line tool accepts. */

import { expect, test } from 'vitest';
import { parseArguments } from '../../apps/cli/src/args.ts';
import { splitWords } from '../../apps/cli/src/shell-words.ts';
import { COMMANDS, findCommand } from '../../apps/cli/src/surface/commands.ts';
import { blocksOf } from '../../scripts/docs/markdown.mjs';
import { MARKDOWN_FILES, readFile } from './markdown-files.ts';

/** The headings of docs/commands.md show them with placeholders. */
const USAGES = new Set(COMMANDS.map(({ usage }) => usage));
/** About the command line as such. */
const GENERAL = new Set([
  'COMMAND -help',
  '--help',
  'help',
  'help PAGE',
  'help CODE',
  'help pages',
]);

interface CommandLine {
  readonly file: string;
  readonly words: string;
}

/** The commands of a shell script: words up to an operator or a comment, without variables in front. */
function fromShell(text: string): string[] {
  return text
    .replaceAll('\\\n', ' ')
    .split('\n')
    .flatMap((line) => commandsOf(line))
    .flatMap((command) => {
      const [, words] = /^\s*(?:\w+=\S*\s+)*sluice (.*)$/.exec(command) ?? [];
      return words === undefined ? [] : [words.trim()];
    });
}

/** Splits a line at operators outside of quotes. */
function commandsOf(line: string): string[] {
  const commands = [''];
  let quote = '';
  let before = ' ';
  for (const letter of line) {
    if (quote === '' && letter === '#' && /\s/.test(before)) break;
    before = letter;
    if (quote === letter) quote = '';
    else if (quote === '' && /["']/.test(letter)) quote = letter;
    if (quote === '' && /[;&|()<>]/.test(letter)) commands.push('');
    else commands.push(`${commands.pop() ?? ''}${letter}`);
  }
  return commands;
}

function fromCodeSpans(text: string): string[] {
  return Array.from(text.matchAll(/`(?:\w+=\S+ )*sluice ([^`]+)`/g), ([, words = '']) =>
    words.replaceAll(/\s+/g, ' ').trim(),
  );
}

const LINES: readonly CommandLine[] = MARKDOWN_FILES.filter(
  (file) => !file.startsWith('docs/decisions/'),
).flatMap((file) => {
  const text = readFile(file);
  const found = [
    ...blocksOf(text, 'sh').flatMap((block) => fromShell(block.text)),
    ...fromCodeSpans(text),
  ];
  return [...new Set(found)]
    .filter((words) => !USAGES.has(words) && !GENERAL.has(words))
    .map((words) => ({ file, words }));
});

/** A text that ends with "…" leaves out the rest. */
function wordsOf(text: string): string[] {
  return splitWords(text.replaceAll(/\$\{?\w+\}?/g, 'x').replace(/ …$/, ''));
}

test.each(LINES)('$file: sluice $words', ({ words: text }) => {
  const [name = '', ...words] = wordsOf(text);
  const command = findCommand(name);
  expect(command?.support.kind, `the command ${name}`).toBe('works');
  if (command === undefined) return;
  // "sluice drill -timestamp …", or a flag that is named without its value
  const last = command.flags.find((flag) => `-${flag.name}` === words.at(-1));
  const complete = last?.value === undefined ? words : [...words, 'x'];
  expect(() => parseArguments(command, complete)).not.toThrow();
});

test('command lines are found in all kinds of text', () => {
  expect(LINES.length).toBeGreaterThan(150);
  expect(new Set(LINES.map(({ file }) => file)).size).toBeGreaterThan(20);
  expect(
    fromShell('A=1 sluice check # sluice no\nsystemctl stop sluice\nsource <(sluice ltx x)'),
  ).toEqual(['check', 'ltx x']);
});
