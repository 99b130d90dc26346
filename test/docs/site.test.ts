/** The sources of the site, and the check of the built site, without building it. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../apps/cli/test/support/temporary.ts';
import { checkSite } from '../../scripts/docs/check-site.mjs';
import { addMarkdown } from '../../scripts/docs/llms.mjs';
import { headingsOf, linksOf, resolveTarget } from '../../scripts/docs/markdown.mjs';
import { GROUPS } from '../../scripts/docs/pages.mjs';
import { stage } from '../../scripts/docs/stage.mjs';

function staged(): { readonly folder: string; readonly pages: readonly string[] } {
  const folder = temporaryFolder();
  stage(folder);
  const names = fs.readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return { folder, pages: names.filter((name) => name.endsWith('.md')) };
}

test('links of all pages of the site lead to pages of the site, or to the repository', () => {
  const { folder, pages } = staged();
  expect(pages.length).toBeGreaterThan(60);
  const read = (page: string): string => fs.readFileSync(path.join(folder, page), 'utf8');
  const dead = pages.flatMap((page) =>
    linksOf(read(page)).flatMap((target) => {
      const to = resolveTarget(page, target);
      if (to === undefined || to.file === 'api/index.md') return []; // typedoc makes it
      if (!fs.existsSync(path.join(folder, to.file))) return [`${page}: ${target}`];
      if (to.anchor === undefined) return [];
      const anchors = headingsOf(read(to.file)).map(({ anchor }) => anchor);
      return anchors.includes(to.anchor) ? [] : [`${page}: ${target}`];
    }),
  );
  expect(dead).toEqual([]);
});

test('llms.txt names every page of the navigation, and each is there as Markdown', () => {
  const { folder } = staged();
  const site = temporaryFolder();
  for (const name of ['api', 'backends', 'decisions']) fs.mkdirSync(path.join(site, name));
  addMarkdown(folder, site);
  const text = fs.readFileSync(path.join(site, 'llms.txt'), 'utf8');
  expect(text).toMatch(/^# Sluice\n\n> Sluice backs up SQLite databases .*\.\n\n## Start\n/);
  expect(text).not.toContain('```');
  const named = linksOf(text);
  for (const { page } of GROUPS.flatMap(({ pages }) => pages)) {
    expect(named).toContain(page);
    expect(fs.readFileSync(path.join(site, page), 'utf8')).toMatch(/^# /);
  }
});

/** A page with this body, and its Markdown. */
function siteWith(body: string): string {
  const site = temporaryFolder();
  fs.writeFileSync(path.join(site, 'other.html'), '<h1 id="there">x</h1>');
  for (const name of ['index.md', 'other.md']) fs.writeFileSync(path.join(site, name), '# x\n');
  fs.writeFileSync(path.join(site, 'index.html'), body);
  return site;
}

test.each([
  ['<a href="/missing">x</a>', 'index.html: the link /missing leads nowhere'],
  ['<a href="./other#gone">x</a>', 'index.html: the anchor of ./other#gone does not exist'],
  ['<a href="#gone">x</a>', 'index.html: the anchor of #gone does not exist'],
  ['<script src="https://cdn.example/x.js">', 'index.html loads https://cdn.example/x.js'],
  ['<link rel="x" href="//fonts.example/x.css">', 'index.html loads //fonts.example/x.css'],
])('the check of the site finds %s', (body, problem) => {
  expect(checkSite(siteWith(body))).toEqual([problem]);
});

test('the check of the site accepts links that lead somewhere', () => {
  const body =
    '<h2 id="a">a</h2><a href="#a">a</a><a href="/other.html#there">b</a><a href="/">c</a>' +
    '<a href="https://example.com/#x">d</a><script src="/x.js"></script>';
  expect(checkSite(siteWith(body))).toEqual([]);
});

test('the check of the site finds fonts of others, and pages without Markdown', () => {
  const site = siteWith('');
  fs.writeFileSync(path.join(site, 'x.css'), '@font-face { src: url("https://fonts.example/a") }');
  fs.rmSync(path.join(site, 'other.md'));
  expect(checkSite(site)).toEqual([
    'x.css loads https://fonts.example/a',
    'other.html has no Markdown beside it',
  ]);
});
