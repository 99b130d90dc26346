/** Links of every page lead to files and headings that exist, and every page of docs/ has a place on the site. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import {
  headingsOf,
  linksOf,
  replaceLinks,
  resolveTarget,
  sectionOf,
  slugOf,
} from '../../scripts/docs/markdown.mjs';
import { PAGES } from '../../scripts/docs/pages.mjs';
import { MARKDOWN_FILES, readFile, ROOT } from './markdown-files.ts';

const anchors = new Map<string, ReadonlySet<string>>();

function anchorsOf(file: string): ReadonlySet<string> {
  let known = anchors.get(file);
  if (known === undefined) {
    known = new Set(headingsOf(readFile(file)).map(({ anchor }) => anchor));
    anchors.set(file, known);
  }
  return known;
}

/** Links that lead nowhere, with the reason. */
function deadLinks(file: string): string[] {
  return linksOf(readFile(file)).flatMap((target) => {
    const to = resolveTarget(file, target);
    if (to === undefined) return [];
    if (!fs.existsSync(path.join(ROOT, to.file))) return [`${target}: no such file`];
    if (to.anchor === undefined) return [];
    if (!to.file.endsWith('.md')) return [`${target}: not a page`];
    return anchorsOf(to.file).has(to.anchor) ? [] : [`${target}: no such heading`];
  });
}

test.each(MARKDOWN_FILES)('the links of %s lead to files and headings that exist', (file) => {
  expect(deadLinks(file)).toEqual([]);
});

test('links are found at all', () => {
  const found = MARKDOWN_FILES.flatMap((file) => linksOf(readFile(file)));
  expect(found.length).toBeGreaterThan(200);
  expect(found.filter((target) => target.includes('#')).length).toBeGreaterThan(80);
});

test('every page of docs/ has a place on the site, and each place has one page', () => {
  const files = PAGES.map(({ file }) => file);
  const docs = MARKDOWN_FILES.filter((file) => /^docs\/[^/]+\.md$/.test(file));
  expect(docs.filter((file) => !files.includes(file))).toEqual([]);
  expect(new Set(PAGES.map(({ page }) => page)).size).toBe(PAGES.length);
});

test.each([
  ['`type: file`', 'type-file'],
  ['What "acknowledged" means', 'what-acknowledged-means'],
  ['The server’s key, and `-o`', 'the-servers-key-and--o'],
  ['REPLICA_IN_USE', 'replica_in_use'],
])('the heading %s has the anchor %s', (heading, anchor) => {
  expect(slugOf(heading)).toBe(anchor);
});

test('repeated headings have numbered anchors, and comments in code are no headings', () => {
  const text = '# A\n\n## B\n\n```sh\n# no\n```\n\n## B\n';
  expect(headingsOf(text).map(({ anchor }) => anchor)).toEqual(['a', 'b', 'b-1']);
});

test('links are replaced in labels of two lines and beside code, not inside code', () => {
  const text =
    'See [a\n`[x](y)`](one.md), `[b](two.md)` and ![c](three.svg).\n\n```\n[d](four.md)\n```';
  expect(replaceLinks(text, (target) => `new/${target}`)).toBe(
    text.replace('one.md', 'new/one.md').replace('three.svg', 'new/three.svg'),
  );
});

test('a section ends at the next heading of its level', () => {
  const text = '# A\n\n## B\n\nb\n\n### C\n\nc\n\n## D\n';
  expect(sectionOf(text, 'b')).toBe('## B\n\nb\n\n### C\n\nc\n');
  expect(sectionOf(text, 'e')).toBeUndefined();
});
