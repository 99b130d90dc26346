/** What `sluice restore -f` prints. */

import { PassThrough } from 'node:stream';
import type { FollowEvent } from '@sluice/core';
import { expect, test } from 'vitest';
import { FollowReport } from '../src/following/report.ts';
import { createLogger } from '../src/log.ts';
import { Secrets } from '../src/secrets.ts';

const START = Date.UTC(2026, 10, 29, 12);

interface Printed {
  readonly report: FollowReport;
  /** Moves the clock. */
  readonly after: (ms: number) => void;
  readonly out: () => string;
  readonly log: () => string;
}

function printed(form: 'text' | 'json', screen: 'terminal' | 'pipe' = 'pipe'): Printed {
  const stdout = Object.assign(new PassThrough(), { isTTY: screen === 'terminal' });
  const stderr = new PassThrough();
  const secrets = new Secrets();
  const logger = createLogger({ level: 'warn', type: 'text', stream: stderr, secrets });
  const shell = { environment: {}, stdout, stderr, secrets, configPaths: [] };
  let now = START;
  return {
    report: new FollowReport({
      form,
      output: 'copy.db',
      shell,
      logger,
      clock: { now: () => now, monotonic: () => now - START },
    }),
    after: (ms) => (now += ms),
    out: () => String(stdout.read() ?? ''),
    log: () => String(stderr.read() ?? ''),
  };
}

const status = { txid: '000000000000000a', timestamp: new Date(START - 1_500) };
const current: FollowEvent = { kind: 'current', source: 's3', ...status };
const applied: FollowEvent = { kind: 'applied', source: 's3', files: 2, bytes: 2_048, ...status };
const error = new Error('list: no answer');
const failing: FollowEvent = { kind: 'failing', source: 's3', error, ...status };

test('without a terminal: a line for each change, and one a minute', () => {
  const { report, after, out } = printed('text');
  report.onEvent({ kind: 'following', ...status });
  report.onEvent(current);
  expect(out().trimEnd().split('\n')).toEqual([
    'copy.db: TXID 000000000000000a, written at 2026-11-29T11:59:58.500Z, looking for newer states',
    'copy.db: TXID 000000000000000a, written at 2026-11-29T11:59:58.500Z, up to date with s3',
  ]);
  after(59_000);
  report.onEvent(current);
  expect(out()).toBe('');
  after(1_000);
  report.onEvent(current);
  expect(out()).toContain('up to date with s3\n');
  report.onEvent(applied);
  report.onEvent(current);
  expect(out()).toBe(
    'copy.db: TXID 000000000000000a, written at 2026-11-29T11:59:58.500Z, 2 files, 2 KiB from s3, lag 1m1.5s\n',
  );
});

test('on a terminal: one line, redrawn at each look', () => {
  const { report, out } = printed('text', 'terminal');
  report.onEvent(current);
  report.onEvent(current);
  report.end();
  const text = out();
  expect(text.split('\r')).toHaveLength(3);
  expect(text.split('\n')).toHaveLength(2);
  expect(text).toContain('up to date with s3');
});

test('with -json: the lag counts from the last time that the copy was known to be up to date', () => {
  const { report, after, out, log } = printed('json');
  report.onEvent(current);
  after(5_000);
  report.onEvent(failing);
  const [first, second] = out()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as object);
  expect(first).toMatchObject({ event: 'current', replica: 's3', txid: status.txid, lag_ms: 0 });
  expect(second).toMatchObject({ event: 'failing', lag_ms: 5_000, message: 'list: no answer' });
  expect(log()).toContain('s3 cannot be followed, and is tried again: list: no answer');
});

test('a destination with older states only is said once', () => {
  const { report, out, log } = printed('text');
  const older: FollowEvent = {
    kind: 'older',
    source: 's3',
    highest: '0000000000000003',
    ...status,
  };
  report.onEvent(older);
  report.onEvent(older);
  expect(out().split('\n')).toHaveLength(2);
  expect(log().match(/only older states, up to TXID 0000000000000003/g)).toHaveLength(1);
});
