import { expect, test } from 'vitest';
import { dropRepeats } from '@sluice/core';
import { createLogger } from '../src/log.ts';
import { Secrets } from '../src/secrets.ts';
import { Capture } from './support/shell.ts';

function calmLog(level: 'debug' | 'info') {
  const stream = new Capture();
  const clock = { now: 0 };
  const plain = createLogger({ level, type: 'pretty', stream, secrets: new Secrets() });
  const lines = (): string[] => stream.text.trim().split('\n');
  return { logger: dropRepeats(plain, () => clock.now), clock, lines };
}

test('a repeated failure is logged once, then twice a minute', () => {
  const { logger, clock, lines } = calmLog('info');
  for (let failures = 1; failures <= 121; failures += 1) {
    logger.error('down', { target: 's3://b', code: 'X', failures });
    clock.now += 500;
  }
  expect(lines().map((line) => /failures=(\d+)/.exec(line)?.[1])).toEqual(['1', '61', '121']);
});

test('another failure, or one of another destination, is logged at once', () => {
  const { logger, lines } = calmLog('info');
  logger.warn('down', { target: 's3://b', code: 'X', failures: 1 });
  logger.warn('down', { target: 's3://b', code: 'X', failures: 2 });
  logger.error('denied', { target: 's3://b', code: 'Y', failures: 3 });
  logger.warn('down', { target: 's3://c', code: 'X', failures: 2 });
  expect(lines()).toHaveLength(3);
});

test('a destination that fails again after a success is logged at once', () => {
  const { logger, lines } = calmLog('info');
  logger.warn('down', { target: 's3://b', code: 'X', failures: 1 });
  logger.info('up', { target: 's3://b' });
  logger.warn('down', { target: 's3://b', code: 'X', failures: 1 });
  expect(lines()).toHaveLength(3);
});

test('every attempt is logged at debug, and other lines are not changed', () => {
  const { logger, lines } = calmLog('debug');
  for (const failures of [1, 2, 3]) logger.warn('down', { target: 't', code: 'X', failures });
  logger.warn('other');
  logger.warn('other');
  expect(lines()).toHaveLength(5);
});
