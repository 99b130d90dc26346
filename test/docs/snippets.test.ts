/** Blocks of JavaScript, TypeScript and JSON in pages can be parsed. "…" leaves something out. */

import { stripTypeScriptTypes } from 'node:module';
import { expect, test } from 'vitest';
import { blocksOf } from '../../scripts/docs/markdown.mjs';
import { MARKDOWN_FILES, readFile } from './markdown-files.ts';

interface Snippet {
  readonly file: string;
  readonly line: number;
  readonly text: string;
}

function snippetsOf(...languages: readonly string[]): readonly Snippet[] {
  return MARKDOWN_FILES.flatMap((file) =>
    languages.flatMap((language) =>
      blocksOf(readFile(file), language).map((block) => ({ file, ...block })),
    ),
  );
}

const PROGRAMS = snippetsOf('js', 'ts');
const VALUES = snippetsOf('json');

/** Throws a SyntaxError. */
function parseProgram(text: string): void {
  stripTypeScriptTypes(text.replaceAll('…', ''));
}

test.each(PROGRAMS)('$file:$line can be parsed', ({ text }) => {
  expect(() => parseProgram(text)).not.toThrow();
});

/** One value, or one in each line. Values may be left out, as in `{…,"a":1}` and `"a":…`. */
function parseValues(text: string): void {
  const complete = text.replaceAll(/\{…,?/g, '{').replaceAll(/([[:,])…/g, '$1null');
  try {
    JSON.parse(complete);
  } catch {
    for (const line of complete.trim().split('\n')) JSON.parse(line);
  }
}

test.each(VALUES)('$file:$line is JSON', ({ text }) => {
  expect(() => parseValues(text)).not.toThrow();
});

test('there are snippets, and broken ones are found', () => {
  expect(PROGRAMS.length).toBeGreaterThan(8);
  expect(VALUES.length).toBeGreaterThan(25);
  expect(() => parseProgram('await using x = open({ … );')).toThrow();
  expect(() => parseValues('{"a":1,}')).toThrow();
});
