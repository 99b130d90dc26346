/** Every YAML block of a page is a valid configuration, or a part of one, or named here as something else. */

import path from 'node:path';
import { Ajv } from 'ajv';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { readText } from '../../apps/cli/test/support/configuration.ts';
import { temporaryFolder, writeFile } from '../../apps/cli/test/support/temporary.ts';
import { blocksOf } from '../../scripts/docs/markdown.mjs';
import { MARKDOWN_FILES, readFile } from './markdown-files.ts';

/** Blocks for other programs: the page, and the first line of the block. */
const OTHERS: Readonly<Record<string, string>> = {
  'docs/metrics.md': 'rule_files: [sluice.rules.yml]',
};
/** Types of examples. Their packages are not installed here. */
const EXAMPLE_TYPES = /@acme\/sluice-(?:http|webdav)/;
/** Of the variables in examples. */
const ENVIRONMENT = {
  NTFY_TOKEN: 'token',
  SLACK_WEBHOOK_URL: 'https://hooks.slack.com/x',
  OFFSITE_KEY_ID: 'key',
};

interface Example {
  readonly file: string;
  readonly line: number;
  readonly text: string;
}

const EXAMPLES: readonly Example[] = MARKDOWN_FILES.flatMap((file) =>
  [...blocksOf(readFile(file), 'yaml'), ...blocksOf(readFile(file), 'yml')].map((block) => ({
    file,
    ...block,
  })),
);
const OWN = EXAMPLES.filter(
  ({ file, text }) => OTHERS[file] === undefined || !text.startsWith(OTHERS[file]),
);

/** A part of a configuration becomes a whole one. */
function complete(text: string): string {
  const keys = Object.keys(parse(text) as object);
  if (keys.includes('dbs')) return text;
  if (keys.includes('replicas') || keys.includes('replica')) {
    return `dbs:\n- path: /d\n${text.replaceAll(/^/gm, '  ')}`;
  }
  return `${text}\ndbs: [{ path: /d, replica: { path: /b } }]\n`;
}

/** Files with secrets exist, so that they can be read. */
function withFiles(text: string): string {
  const folder = temporaryFolder();
  return text.replaceAll(
    /^([\s-]*)([\w-]+-file): *(\/\S+)/gm,
    (_, start: string, key: string, named: string) =>
      `${start}${key}: ${writeFile(folder, path.basename(named), 'a-secret-of-the-example')}`,
  );
}

const SCHEMA = parse(readFile('apps/cli/sluice.schema.json')) as object;
const validate = new Ajv({ strict: false }).compile(SCHEMA);

test.each(OWN)('$file:$line is a valid configuration', async ({ text }) => {
  const whole = complete(text);
  validate(parse(whole));
  expect(validate.errors ?? []).toEqual([]);
  if (EXAMPLE_TYPES.test(whole)) return;
  const { notes, databases, directories } = await readText(withFiles(whole), ENVIRONMENT);
  expect(notes).toEqual([]);
  expect(databases.length + directories.length).toBeGreaterThan(0);
});

test('a block with an unknown key is found', async () => {
  const whole = complete('max-lga: 1m\n');
  validate(parse(whole));
  expect(validate.errors).not.toEqual([]);
  await expect(readText(whole)).rejects.toThrow(/did you mean|unknown/);
});

test('the pages have examples, and those for other programs are there', () => {
  expect(OWN.length).toBeGreaterThan(20);
  for (const [file, start] of Object.entries(OTHERS)) {
    expect(
      EXAMPLES.filter((each) => each.file === file && each.text.startsWith(start)),
    ).toHaveLength(1);
  }
});
