/** docs/coming-from-litestream.md names every key, command, flag and metric of Litestream, in the right place. */

import fs from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { WORDS } from '../src/litestream.ts';
import { GROUPS, LITESTREAM_GROUPS } from './docs/metric-groups.ts';
import { COMMANDS } from '../src/surface/commands.ts';
import { VARIABLES } from '../src/surface/environment.ts';

const PAGE = fs.readFileSync(
  fileURLToPath(new URL('../../../docs/coming-from-litestream.md', import.meta.url)),
  'utf8',
);

/** The text below a heading, up to the next heading. */
function sectionOf(heading: string): string {
  const [, below = ''] = PAGE.split(`\n${heading}\n`);
  return below.split(/^#/m)[0] ?? '';
}

/** The texts in backticks in the first column of a table. */
function firstColumn(section: string): Set<string> {
  const cells = [...section.matchAll(/^\| (.*?) \|/gm)].map(([, cell = '']) => cell);
  return new Set(
    cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)),
  );
}

const ignored = firstColumn(sectionOf('### Keys that are ignored'));
const refused = firstColumn(sectionOf('### Keys that are refused'));

test.each(WORDS.map(({ key, support, of }) => ({ key, support, of })))(
  'the key $key is in the table of ignored or of refused keys',
  ({ key, support }) => {
    expect(ignored.has(key)).toBe(support.kind === 'noted');
    // username and token are keys of NATS.
    expect(refused.has(key)).toBe(support.kind === 'refused');
  },
);

test('no other key is in these tables', () => {
  const keys = new Set(WORDS.map(({ key }) => key));
  const others = [...ignored, ...refused].filter((key) => !key.startsWith('type: '));
  expect(others.filter((key) => !keys.has(key))).toEqual([]);
});

const commands = sectionOf('## Commands');

test.each(COMMANDS.filter(({ knownBy }) => knownBy !== 'ours').map(({ name }) => name))(
  'the command %s is in the table of commands',
  (name) => {
    const mentions = [...firstColumn(commands)].map((text) => text.split(' ')[0]);
    expect(mentions).toContain(name);
  },
);

const COMMON_FLAGS = new Set(['config', 'no-expand-env', 'log-level']);
const flags = COMMANDS.filter(({ name }) => name === 'replicate' || name === 'restore').flatMap(
  ({ name, flags: all }) =>
    all
      .filter((flag) => flag.knownBy !== 'ours' && !COMMON_FLAGS.has(flag.name))
      .map((flag) => ({ name, flag: flag.name, isRefused: flag.support.kind === 'refused' })),
);

test.each(flags)(
  'the flag -$flag of $name is in the table of commands',
  ({ name, flag, isRefused }) => {
    const rows = commands.split('\n').filter((row) => row.startsWith(`| \`${name}`));
    const row = rows.find((text) => new RegExp(`[\` ]-${flag}\``).test(text)) ?? '';
    expect(row).not.toBe('');
    if (name === 'replicate') expect(row.includes('refused')).toBe(isRefused);
  },
);

/** The metrics of 0.5.18 and 0.3.13. */
const LITESTREAM_METRICS =
  'db_size wal_size total_wal_bytes txid disk_full sync_count sync_error_count sync_seconds checkpoint_count checkpoint_error_count checkpoint_seconds compaction_verify_error_count replica_operation_total replica_operation_bytes replica_operation_duration_seconds replica_operation_errors_total l0_retention_files_total shadow_wal_index shadow_wal_size replica_wal_bytes replica_wal_index replica_wal_offset replica_validation_total';

test.each(LITESTREAM_METRICS.split(' '))('litestream_%s is in the table of metrics', (name) => {
  expect(firstColumn(sectionOf('## Metrics'))).toContain(`litestream_${name}`);
});

const namesOf = (groups: typeof GROUPS): string[] =>
  groups.flatMap(({ families }) => families.map(({ name }) => name));

test('every metric of Sluice on the page exists', () => {
  const named = [...PAGE.matchAll(/`(sluice_(?:db|drill|level|replica|scrub)_\w+)/g)].map(
    ([, name]) => name,
  );
  expect(new Set(namesOf(GROUPS))).toEqual(new Set([...namesOf(GROUPS), ...named]));
  expect(named.length).toBeGreaterThan(10);
});

test.each(namesOf(LITESTREAM_GROUPS))(
  'the page says that %s is there with litestream-names',
  (name) => {
    const row = sectionOf('## Metrics')
      .split('\n')
      .find((line) => line.startsWith('|') && line.includes(`\`${name}\``));
    expect(row).toMatch(/\| yes \|$/);
  },
);

test('every variable of Litestream that Sluice reads is on the page', () => {
  const names = VARIABLES.flatMap(({ name }) => name.split(', '));
  for (const name of names.filter((each) => each.startsWith('LITESTREAM_'))) {
    expect(PAGE).toContain(`\`${name}\``);
  }
});
