/** The numbers of docs/limits.md, docs/cost.md and docs/recover.md are those of the code. */

import { expect, test } from 'vitest';
import { completeOptions } from '@sluice/core';
import { EXIT_CODES } from '../../apps/cli/src/exit-codes.ts';
import { CHECKSUMMED_PAGES_MAX } from '../../packages/core/src/database/checksums/checksum-table.ts';
import { CUT_BURST } from '../../packages/core/src/database/cut/cut-budget.ts';
import { TAIL_BYTES_MAX } from '../../packages/core/src/database/cut/tail.ts';
import { IDLE_BYTES_MAX } from '../../packages/core/src/database/idle-database.ts';
import { RESERVE_SHARE } from '../../packages/core/src/database/staging/room.ts';
import { readFile } from './markdown-files.ts';

const LIMITS = readFile('docs/limits.md').replaceAll(/\s+/g, ' ');
const RECOVER = readFile('docs/recover.md');
const MIB = 1024 * 1024;

test('docs/limits.md has the defaults', () => {
  const options = completeOptions({ path: '/data/app.db' });
  expect(LIMITS).toContain(`\`max-lag\` (default ${options.maxLagMs / 60_000}m)`);
  expect(LIMITS).toContain(
    `\`staging-max-bytes\` (default ${options.stagingMaxBytes / 1024 / MIB} GiB)`,
  );
});

test('docs/limits.md has the limits of the code', () => {
  expect(LIMITS).toContain(
    `${CHECKSUMMED_PAGES_MAX.toLocaleString('en-US')} pages (${(CHECKSUMMED_PAGES_MAX * 4_096) / 1024 / MIB} GiB`,
  );
  expect(LIMITS).toContain(`more than ${TAIL_BYTES_MAX / MIB} MiB stays in the WAL`);
  expect(LIMITS).toContain(`up to ${IDLE_BYTES_MAX / MIB} MiB each`);
  expect(CUT_BURST).toBe(10);
  expect(LIMITS).toContain('after ten files faster');
  expect(RESERVE_SHARE).toBe(0.1);
  expect(LIMITS).toContain('a tenth of the disk stays free');
});

test('docs/recover.md has the exit codes by which a restore ends', () => {
  const rows = [...RECOVER.matchAll(/^\| (\d+) \|/gm)].map(([, code]) => Number(code));
  const { usage, noBackup, damaged, denied, unreachable, targetExists, database, outOfRange } =
    EXIT_CODES;
  expect(new Set(rows)).toEqual(
    new Set([
      ...[usage, noBackup, damaged, denied, unreachable, targetExists, database, outOfRange],
      ...[EXIT_CODES.ambiguous, EXIT_CODES.failed],
    ]),
  );
});
