/** What is said of a drill: in the log, in the certificate, in status. */

import type { DrillReport } from '@sluice/core';
import { expect, test } from 'vitest';
import type { DatabaseConfig } from '../../src/config/model.ts';
import { toLogLine } from '../../src/daemon/drill-log.ts';
import { isCertifiable, toCertificate } from '../../src/drilling/certificate.ts';
import { toRecorded } from '../../src/drilling/drill-one.ts';
import { drillProblem } from '../../src/status/drill-health.ts';
import { describeLastDrill, toDrillRow } from '../../src/status/drills.ts';

const OK: DrillReport = {
  result: 'ok',
  kind: 'full',
  problems: [],
  at: '2026-01-31T12:00:00.000Z',
  newestTXID: '0000000000000002',
  txid: '0000000000000002',
  timestamp: '2026-01-31T11:59:00.000Z',
  restoreMs: 1_500,
  lossWindowMs: 60_000,
  filesListed: 2,
  filesRead: 1,
  bytesRead: 100,
  databaseBytes: 4096,
  assertions: [{ sql: 'SELECT 1', failure: undefined }],
  comparison: { kind: 'equal', pages: 1, skipped: 0 },
};
const NOTHING: DrillReport = {
  ...OK,
  result: 'inconclusive',
  txid: undefined,
  filesListed: undefined,
  restoreMs: undefined,
};
const problem = (code: string): DrillReport['problems'] =>
  [{ message: 'it is damaged', code }] as DrillReport['problems'];
const failed = (code: string, report = OK): DrillReport => ({
  ...report,
  result: 'failed',
  problems: problem(code),
});

test('a failed drill is one error line, an inconclusive one a warning', () => {
  expect(toLogLine('one', OK)).toMatchObject({ level: 'info', message: 'drill of one: ok' });
  const two = { ...failed('LTX_CHECKSUM_MISMATCH'), problems: [...problem('A'), ...problem('B')] };
  expect(toLogLine('one', two)).toMatchObject({
    level: 'error',
    message: 'drill of one: failed: it is damaged (and 1 more)',
    fields: { code: 'A' },
  });
  expect(toLogLine('one', NOTHING).level).toBe('warn');
});

const FACTS = {
  version: '1.2.3',
  integrityCheck: 'quick',
  lastSuccessAt: '2026-01-30T12:00:00.000Z',
};

test('the certificate has RTO, RPO and the last success', () => {
  const parsed = JSON.parse(toCertificate(OK, FACTS)) as object;
  expect(parsed).toMatchObject({
    format: 1,
    written_by: 'sluice 1.2.3',
    result: 'ok',
    kind: 'full',
    last_success_at: OK.at,
    rto_seconds: 1.5,
    rpo_seconds: 60,
    assertions: [{ sql: 'SELECT 1', holds: true }],
  });
  const later = JSON.parse(toCertificate(failed('RESTORE_GAP'), FACTS)) as object;
  expect(later).toMatchObject({ result: 'failed', last_success_at: FACTS.lastSuccessAt });
});

test('long queries and messages do not make it too large', () => {
  const sql = 'x'.repeat(100_000);
  const assertions = Array.from({ length: 1_000 }, () => ({ sql, failure: undefined }));
  const report = { ...OK, assertions, problems: assertions.map(() => ({ message: sql })) };
  expect(toCertificate(report, FACTS).length).toBeLessThan(1024 ** 2);
});

test.each([
  ['ok', OK, true],
  ['damaged', failed('LTX_CHECKSUM_MISMATCH'), true],
  ['damaged before anything was listed', failed('RESTORE_GAP', NOTHING), true],
  ['not reached', NOTHING, false],
  ['of another database', failed('REPLICA_CONFLICT'), false],
  ['empty: perhaps its disk is not mounted', failed('RESTORE_NO_SNAPSHOT', NOTHING), false],
])('a certificate is written only beside a backup of this database: %s', (_, report, expected) => {
  expect(isCertifiable(report)).toBe(expected);
});

test('a warm drill says so, and is no time to restore', () => {
  const warm: DrillReport = { ...OK, kind: 'warm', restoreMs: undefined };
  expect(JSON.parse(toCertificate(warm, FACTS))).toMatchObject({ kind: 'warm', result: 'ok' });
  expect(toCertificate(warm, FACTS)).not.toContain('rto_seconds');
  expect(toLogLine('one', warm).fields).toMatchObject({ kind: 'warm' });
  const { problems: _, ...rest } = warm;
  const record = { ...rest, restoreMs: 1_500, name: 'one', target: 't', problems: [] };
  const row = toDrillRow(record, new Date(OK.at), undefined);
  expect(row).toMatchObject({ kind: 'warm', restore_ms: 1_500 });
  expect(describeLastDrill('one', row)).toMatch(
    /^last drill of one: ok \(warm\) 0s ago, TXID 0{15}2 reached by newer files and the copy of an earlier drill/,
  );
});

const failure = {
  at: OK.at,
  kind: 'full',
  startedBy: 'command',
  problems: ['page 3 is damaged', 'and so is page 4'],
} as const;

test('status names the drill that failed, who started it, and what clears it', () => {
  const record = { ...OK, name: 'one', target: 't', startedBy: 'schedule', problems: [] } as const;
  expect(drillProblem('one', undefined)).toBeUndefined();
  expect(drillProblem('one', record)).toBeUndefined();
  expect(drillProblem('one', { ...record, kind: 'warm', failure })).toEqual({
    stage: 'drill',
    destination: 'one',
    message:
      'one failed its drill of 2026-01-31T12:00:00.000Z (full, started by hand): page 3 is damaged (and 1 more); ' +
      'see docs/runbook.md, "When a drill fails". A full drill that is ok clears this',
  });
  const row = toDrillRow({ ...record, failure, startedBy: 'command' }, new Date(OK.at), undefined);
  expect(row).toMatchObject({ started_by: 'command', failure: { started_by: 'command' } });
  expect(describeLastDrill('one', row)).toMatch(/^last drill of one: ok \(by hand\) 0s ago/);
});

const DAY_MS = 24 * 3_600_000;
const rowAfter = (ms: number, everyMs?: number): ReturnType<typeof toDrillRow> => {
  const { problems: _, ...report } = OK;
  const record = { ...report, name: 'one', target: 't', problems: [] };
  return toDrillRow(record, new Date(Date.parse(OK.at) + ms), everyMs);
};

test('status says that a schedule is not kept', () => {
  expect(rowAfter(DAY_MS, DAY_MS)).toMatchObject({ overdue: false, every_seconds: 86_400 });
  const overdue = rowAfter(3 * DAY_MS, DAY_MS);
  expect(describeLastDrill('one', overdue)).toMatch(/; overdue: drill.every is (24h|1d)/);
  expect(rowAfter(-3 * DAY_MS, DAY_MS)).toMatchObject({ overdue: true }); // the clock was set back
  expect(rowAfter(3 * DAY_MS)).toMatchObject({ overdue: false, every_seconds: undefined });
});

test('a drill is recorded with what the configuration asks for', () => {
  const at = { name: 'one', target: 'file:///one' };
  const assertions = ['SELECT 1'];
  const settings = { assertions, integrityCheck: 'full' };
  const drills = { one: settings } as unknown as DatabaseConfig['drills'];
  const common = { ...at, startedBy: 'command' };
  const full = toRecorded({ drills }, at, 'command', 'full');
  expect(full).toEqual({ ...common, configured: assertions, check: 'as configured' });
  expect(toRecorded({ drills }, at, 'command', 'quick')).toMatchObject({ check: 'weaker' });
  const none = toRecorded({ drills: {} }, at, 'command', 'none');
  expect(none).toEqual({ ...common, configured: [], check: 'weaker' });
  expect(toRecorded({ drills: {} }, at, 'command', 'quick')).toMatchObject({
    check: 'as configured',
  });
});
