/** Commands and links of docs/start.md and docs/operations.md. test/walk follows docs/start.md step by step. */

import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { findCommand } from '../../src/surface/commands.ts';
import { parseArguments } from '../../src/args.ts';
import { splitWords } from '../../src/shell-words.ts';

const DOCS = fileURLToPath(new URL('../../../../docs/', import.meta.url));

/** The blocks of shell commands of a page, in order. */
function blocksOf(page: string): string[] {
  const text = fs.readFileSync(path.join(DOCS, page), 'utf8');
  return [...text.matchAll(/^```sh\n([^]*?)^```$/gm)].map(([, block = '']) => block);
}

const COMMANDS_OF_PAGES = ['start.md', 'operations.md'].flatMap((page) =>
  blocksOf(page).flatMap((block) =>
    [...block.matchAll(/(?:^|[(])sluice ([^)>\n]*)/gm)].map(([, words = '']) => [
      page,
      words.trim(),
    ]),
  ),
);

test.each(COMMANDS_OF_PAGES)('docs/%s: sluice %s is a command with known flags', (_, line = '') => {
  const [name = '', ...words] = splitWords(line.replaceAll('$PWD', '/srv'));
  const command = findCommand(name);
  expect(command?.support.kind).toBe('works');
  if (command !== undefined) expect(() => parseArguments(command, words)).not.toThrow();
});

test.each(['start.md', 'operations.md'])('links of docs/%s lead to files that exist', (page) => {
  const text = fs.readFileSync(path.join(DOCS, page), 'utf8');
  const links = [...text.matchAll(/\]\(([^)#]+)/g)].map(([, link = '']) => link);
  expect(links.length).toBeGreaterThan(1);
  expect(links.filter((link) => !fs.existsSync(path.join(DOCS, link)))).toEqual([]);
});
