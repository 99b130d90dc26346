import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { Logger } from '../../src/store/backend.ts';
import { loggerFor, serving } from '../../src/replicate/logging.ts';

function recorder(): { logger: Logger; lines: unknown[] } {
  const lines: unknown[] = [];
  const write = (message: string, fields?: object): void => void lines.push([message, fields]);
  return { logger: { debug: write, info: write, warn: write, error: write }, lines };
}

test('a logger for a database adds it to each line', () => {
  const { logger, lines } = recorder();
  const named = loggerFor(logger, '/data/a.db');
  named.info('one');
  named.warn('two', { code: 'X' });
  named.error('three', { db: '/data/b.db' });
  expect(lines).toEqual([
    ['one', { db: '/data/a.db' }],
    ['two', { db: '/data/a.db', code: 'X' }],
    ['three', { db: '/data/b.db' }],
  ]);
});

test('shared objects log the database being served, even after an await', async () => {
  const { logger, lines } = recorder();
  const shared = loggerFor(logger);
  const call = async (): Promise<void> => {
    await turn();
    shared.debug('retried');
  };
  await Promise.all([serving('/data/a.db', call), serving('/data/b.db', call), call()]);
  expect(lines).toEqual([
    ['retried', { db: '/data/a.db' }],
    ['retried', { db: '/data/b.db' }],
    ['retried', {}],
  ]);
});
