import { expect, test } from 'vitest';
import { parseArguments } from '../src/args.ts';
import { readFlags, type RestoreFlags } from '../src/restoring/flags.ts';
import type { Command } from '../src/surface/command.ts';
import { findCommand } from '../src/surface/commands.ts';

const NOW = new Date('2026-11-29T14:00:00Z');

function flags(...words: string[]): RestoreFlags {
  return readFlags(parseArguments(findCommand('restore') as Command, words), NOW);
}

test('without flags, the latest state is restored and nothing is replaced', () => {
  expect(flags()).toEqual({
    target: { kind: 'latest' },
    overwrite: 'refuse',
    parallelism: undefined,
    integrityCheck: 'none',
  });
});

test.each([
  ['000000000000002a', 42n],
  ['FFFFFFFFFFFFFFFF', 2n ** 64n - 1n],
])('-txid %s', (text, txid) => {
  expect(flags('-txid', text).target).toEqual({ kind: 'txid', txid });
});

test.each([
  ['2026-01-31T12:00:00Z', '2026-01-31T12:00:00.000Z'],
  ['2026-01-31T12:00:00.25+02:00', '2026-01-31T10:00:00.250Z'],
  ['2026-01-31t12:00:00z', '2026-01-31T12:00:00.000Z'],
  ['2026-01-31 12:00:00Z', '2026-01-31T12:00:00.000Z'],
  ['2024-02-29T23:59:59.999-12:00', '2024-03-01T11:59:59.999Z'],
])('-timestamp %s', (text, iso) => {
  expect(flags('-timestamp', text).target).toEqual({ kind: 'timestamp', at: new Date(iso) });
});

test.each([
  ['30s ago', 30_000],
  ['2h', 7_200_000],
])('-timestamp "%s" is relative to the clock', (text, agoMs) => {
  const at = new Date(NOW.getTime() - agoMs);
  expect(flags('-timestamp', text).target).toEqual({ kind: 'timestamp', at });
});

test.each([
  [['-txid', '2a'], /16 hex digits/],
  [['-txid', '0000000000000000'], /not all 0/],
  [['-txid', '000000000000002g'], /16 hex digits/],
  [['-timestamp', '2026-01'], /-timestamp must be a time, such as .*, but is "2026-01"$/],
  [['-timestamp', 'yesterday'], /-timestamp must be a time, such as .*, but is "yesterday"$/],
  [['-timestamp', '2026-13-31T12:00:00Z'], /"2026-13-31T12:00:00Z" does not exist in the calendar/],
  [
    ['-timestamp', '2026-11-29T14:05:01Z'],
    /-timestamp "2026-11-29T14:05:01Z" is 2026-11-29T14:05:01.000Z, which is in the future: .*says 2026-11-29T14:00:00.000Z/,
  ],
  [['-timestamp', '2026-02-30T12:00:00Z'], /"2026-02-30T12:00:00Z" does not exist in the calendar/],
  [['-timestamp', '2025-02-29T12:00:00+01:00'], /does not exist in the calendar/],
  [['-timestamp', '2026-04-31T00:00:00Z'], /does not exist in the calendar/],
  [['-timestamp', '2026-00-01T00:00:00Z'], /does not exist in the calendar/],
  [['-timestamp', '2026-01-00T00:00:00Z'], /does not exist in the calendar/],
  [['-timestamp', '2026-01-31T24:00:00Z'], /does not exist in the calendar/],
  [['-timestamp', '2026-01-31T12:60:00Z'], /does not exist in the calendar/],
  [['-timestamp', '2026-01-31T12:00:60Z'], /does not exist in the calendar/],
  [['-timestamp', '2026-01-31T12:00:00+25:00'], /does not exist in the calendar/],
  [['-txid', '000000000000002a', '-timestamp', '2026-01-31T12:00:00Z'], /cannot be used together/],
  [['-no-keep'], /-no-keep is for -force/],
  [['-parallelism', '0'], /-parallelism is 1 to 256/],
  [['-parallelism', '-1'], /-parallelism is 1 to 256/],
  [['-parallelism', '257'], /-parallelism is 1 to 256/],
  [['-parallelism', 'many'], /-parallelism is 1 to 256/],
  [['-integrity-check', 'deep'], /none, quick or full/],
  [['-follow-interval', '2s'], /-follow-interval is for -f/],
  [['-f', '-follow-interval', '5'], /a duration from 100ms to 1h, not "5"/],
  [['-f', '-follow-interval', '10ms'], /a duration from 100ms to 1h/],
  [['-f', '-follow-interval', '2h'], /a duration from 100ms to 1h/],
  [['-f', '-txid', '000000000000002a'], /-f and -txid cannot be used together/],
  [['-f', '-timestamp', '2026-01-31T12:00:00Z'], /-f and -timestamp cannot/],
  [['-f', '-generation', '000000000000002a'], /-f and -generation cannot/],
  [['-f', '-dry-run'], /-f and -dry-run cannot be used together/],
  [['-f', '-if-db-not-exists'], /-f and -if-db-not-exists cannot/],
  [['-log-level', 'loud'], /trace, debug, info, warn or error/],
])('%j is refused', (words, message) => {
  expect(() => flags(...words)).toThrow(message);
});

test('-no-keep discards what -force replaces', () => {
  expect(flags('-force', '-no-keep').overwrite).toBe('replace');
});

test('-force, -parallelism and -integrity-check are parsed', () => {
  expect(flags('-force', '-parallelism=3', '-integrity-check', 'quick')).toMatchObject({
    overwrite: 'keep',
    parallelism: 3,
    integrityCheck: 'quick',
  });
});

test('-f looks each second, or as often as -follow-interval says', () => {
  expect(flags().follow).toBeUndefined();
  expect(flags('-f').follow).toEqual({ intervalMs: 1_000 });
  expect(flags('-f', '-follow-interval', '1m30s').follow).toEqual({ intervalMs: 90_000 });
});
