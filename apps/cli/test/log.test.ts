import { expect, test } from 'vitest';
import { createLogger, toLogLevel, type LogOptions } from '../src/log.ts';
import { bareURL, Secrets } from '../src/secrets.ts';
import { Capture } from './support/shell.ts';

function logTo(options: Partial<LogOptions> = {}) {
  const stream = new Capture();
  const logger = createLogger({
    level: 'info',
    type: 'text',
    stream,
    secrets: new Secrets(),
    now: () => new Date('2026-01-31T12:00:00.123Z'),
    ...options,
  });
  return { logger, stream };
}

test('a text line is in logfmt, as in Litestream', () => {
  const { logger, stream } = logTo();
  logger.warn('it "failed"', { code: 'X_Y', waitMs: 5, why: 'a b', none: undefined, big: 7n });
  expect(stream.text).toBe(
    'time=2026-01-31T12:00:00.123Z level=WARN msg="it \\"failed\\"" code=X_Y waitMs=5 why="a b" big=7\n',
  );
});

test('a JSON line has the same fields', () => {
  const { logger, stream } = logTo({ type: 'json' });
  logger.error('failed', { code: 'X', big: 7n, none: undefined, error: new Error('why') });
  expect(JSON.parse(stream.text)).toEqual({
    time: '2026-01-31T12:00:00.123Z',
    level: 'ERROR',
    msg: 'failed',
    code: 'X',
    big: '7',
    error: 'why',
  });
});

test('a line break in a message does not start a second line', () => {
  const { logger, stream } = logTo();
  logger.info('one\ntwo', { a: 'x\ny' });
  expect(stream.text.match(/\n/g)).toHaveLength(1);
});

test('pretty is readable', () => {
  const { logger, stream } = logTo({ type: 'pretty' });
  logger.info('began', { pid: 5 });
  expect(stream.text).toBe('12:00:00.123 INFO  began pid=5\n');
});

test('messages below the level are not written', () => {
  const { logger, stream } = logTo({ level: 'warn' });
  logger.debug('a');
  logger.info('b');
  logger.warn('c');
  expect(stream.text).toContain('msg=c');
  expect(stream.text.match(/\n/g)).toHaveLength(1);
});

test('trace includes all messages', () => {
  const { logger, stream } = logTo({ level: 'trace' });
  logger.debug('a');
  expect(stream.text).toContain('level=DEBUG');
});

test.each(['text', 'json', 'pretty'] as const)('a secret is in no %s line', (type) => {
  const secrets = new Secrets();
  secrets.add('s3cr3t/"key"');
  const { logger, stream } = logTo({ type, secrets });
  logger.error('told s3cr3t/"key"', {
    url: `https://h?k=${encodeURIComponent('s3cr3t/"key"')}`,
    nested: { deep: 's3cr3t/"key"' },
  });
  expect(stream.text).not.toContain('s3cr3t');
  expect(stream.text).toContain('[redacted]');
});

test('a short word is not redacted', () => {
  const secrets = new Secrets();
  secrets.add('');
  secrets.add('a');
  expect(secrets.clean('a banana')).toBe('a banana');
});

test('a URL is shown without user, password and query', () => {
  expect(bareURL('https://me:pw@h/p?token=t')).toBe('https://h/p');
});

test.each([
  ['INFO', 'info'],
  ['warning', 'warn'],
  ['Trace', 'trace'],
  ['verbose', undefined],
])('%s is the level %s', (word, level) => {
  expect(toLogLevel(word)).toBe(level);
});
