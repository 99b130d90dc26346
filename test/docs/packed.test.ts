/** Help, messages and errors name pages that the package contains, and `sluice help` prints them. */

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, expect, test } from 'vitest';
import { ERROR_CODES } from '@sluice/core';
import { runCLI } from '../../apps/cli/src/cli.ts';
import { Secrets } from '../../apps/cli/src/secrets.ts';
import { COMMANDS } from '../../apps/cli/src/surface/commands.ts';
import { Capture, sluice } from '../../apps/cli/test/support/shell.ts';
import { headingsOf, linksOf, resolveTarget } from '../../scripts/docs/markdown.mjs';
import { packDocs } from '../../scripts/docs/pack.mjs';
import { readFile, ROOT } from './markdown-files.ts';

const PACKED = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-pages-'));
afterAll(() => fs.rmSync(PACKED, { recursive: true, force: true }));
const NAMES = packDocs(PACKED);
const HEADINGS = new Map(
  NAMES.map((name) => [name, headingsOf(fs.readFileSync(path.join(PACKED, name), 'utf8'))]),
);

/** Sources whose texts people see. */
const SOURCES = ['apps/cli/src', 'apps/dashboard/src', 'apps/dashboard/page', 'packages']
  .flatMap((folder) =>
    fs
      .readdirSync(path.join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .map((name) => path.posix.join(folder, name)),
  )
  .filter((name) => /^(?:apps|packages\/[^/]+\/src)\/.*\.tsx?$/.test(name));

interface Mention {
  readonly source: string;
  readonly page: string;
  readonly anchor: string | undefined;
  readonly heading: string | undefined;
}

const MENTIONS: readonly Mention[] = SOURCES.flatMap((source) =>
  Array.from(
    readFile(source).matchAll(/docs\/([a-z-]+\.md)(?:#([a-z0-9_-]+))?(?:, "([^"]+)")?/g),
    ([, page = '', anchor, heading]) => ({ source, page, anchor, heading }),
  ),
);

test('pages are named in the sources', () => {
  expect(MENTIONS.length).toBeGreaterThan(20);
  expect(MENTIONS.some(({ heading }) => heading !== undefined)).toBe(true);
});

test.each(MENTIONS)('$source names docs/$page, which is in the package', (mention) => {
  const headings = HEADINGS.get(mention.page);
  expect(headings).toBeDefined();
  const { anchor, heading } = mention;
  if (anchor !== undefined) expect(headings?.map((each) => each.anchor)).toContain(anchor);
  if (heading !== undefined) expect(headings?.map((each) => each.text)).toContain(heading);
});

test('the package contains the pages when it is packed', () => {
  const { files, scripts } = JSON.parse(readFile('apps/cli/package.json')) as {
    readonly files: readonly string[];
    readonly scripts: Readonly<Record<string, string>>;
  };
  expect(files).toContain('docs');
  expect(scripts['prepack']).toContain('scripts/pack-docs.mjs');
  expect(scripts['postpack']).toContain('scripts/pack-docs.mjs --restore');
});

test.each(NAMES)('links of the packed %s lead to packed pages, or to the repository', (name) => {
  const targets = linksOf(fs.readFileSync(path.join(PACKED, name), 'utf8'));
  const dead = targets.filter((target) => {
    const to = resolveTarget(name, target);
    if (to === undefined) return !target.startsWith('https://');
    const headings = HEADINGS.get(to.file);
    if (to.anchor === undefined) return headings === undefined;
    return headings?.some(({ anchor }) => anchor === to.anchor) !== true;
  });
  expect(dead).toEqual([]);
});

const WORKING = COMMANDS.filter(({ support }) => support.kind === 'works');

test.each(WORKING.map(({ name }) => name))(
  'the help of %s names its section of docs/commands.md, which can be printed',
  async (name) => {
    const { stdout } = await sluice([name, '-help']);
    const [, topic = ''] = /^More: sluice help (\S+)$/m.exec(stdout) ?? [];
    expect(topic).toBe(`docs/commands.md#${name}`);
    const section = await sluice(['help', topic]);
    expect(section.code).toBe(0);
    expect(section.stdout).toMatch(new RegExp(`^## ${name}\n`));
    expect(section.stdout).not.toMatch(/^## (?!.*\n)/m);
    expect(section.stdout.match(/^## /gm)).toHaveLength(1);
  },
);

test.each(Object.keys(ERROR_CODES))('sluice help %s says what to do', async (code) => {
  const { code: exit, stdout } = await sluice(['help', code]);
  expect(exit).toBe(0);
  expect(stdout).toMatch(new RegExp(`^### ${code}\n`));
  expect(stdout).toContain('Exit code');
  expect(stdout.match(/^#/gm)).toHaveLength(1);
});

test.each(['recover', 'recover.md', 'docs/recover.md'])(
  'sluice help %s prints it',
  async (page) => {
    expect(await sluice(['help', page])).toMatchObject({
      code: 0,
      stdout: readFile('docs/recover.md'),
    });
  },
);

test('sluice help pages lists each page', async () => {
  const { stdout } = await sluice(['help', 'pages']);
  for (const name of NAMES) expect(stdout).toContain(`\n  ${name.replace('.md', '')} `);
});

test.each([
  'no-such-page',
  'recover#no-such-section',
  'NO_SUCH_CODE',
  '../package.json',
  'docs/../README',
])('sluice help %s is refused', async (topic) => {
  const { code, stdout, stderr } = await sluice(['help', topic]);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain('no such command, page or error code');
});

test('an error on a terminal names the help for its code', async () => {
  const stderr = new Capture();
  const secrets = new Secrets();
  const common = { environment: {}, stdout: new Capture(), secrets, configPaths: [] };
  const code = await runCLI(['status'], { ...common, stderr, terminal: new PassThrough() });
  expect(code).toBe(2);
  expect(stderr.text).toMatch(
    /\(CONFIG_INVALID\)\n {2}"sluice help CONFIG_INVALID" says more about it\n$/,
  );
});
