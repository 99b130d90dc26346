import { expect, test } from 'vitest';
import { parseArguments } from '../src/args.ts';
import { readFlags, type RestoreFlags } from '../src/restoring/flags.ts';
import type { Command } from '../src/surface/command.ts';
import { findCommand } from '../src/surface/commands.ts';

function flags(...words: string[]): RestoreFlags {
  return readFlags(parseArguments(findCommand('restore') as Command, words));
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
  [['-txid', '2a'], /16 hex digits/],
  [['-txid', '0000000000000000'], /not all 0/],
  [['-txid', '000000000000002g'], /16 hex digits/],
  [['-timestamp', '2026-01-31'], /a time with its zone/],
  [['-timestamp', '2026-01-31T12:00:00'], /a time with its zone/],
  [['-timestamp', '2026-13-31T12:00:00Z'], /a time with its zone/],
  [['-timestamp', 'yesterday'], /a time with its zone/],
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
  [['-parallelism', '0'], /-parallelism is 1 to 256/],
  [['-parallelism', '-1'], /-parallelism is 1 to 256/],
  [['-parallelism', '257'], /-parallelism is 1 to 256/],
  [['-parallelism', 'many'], /-parallelism is 1 to 256/],
  [['-integrity-check', 'deep'], /none, quick or full/],
  [['-log-level', 'loud'], /trace, debug, info, warn or error/],
])('%j is refused', (words, message) => {
  expect(() => flags(...words)).toThrow(message);
});

test('-force, -parallelism and -integrity-check are parsed', () => {
  expect(flags('-force', '-parallelism=3', '-integrity-check', 'quick')).toMatchObject({
    overwrite: 'replace',
    parallelism: 3,
    integrityCheck: 'quick',
  });
});
