/** Lines of the control socket. */

import { expect, test } from 'vitest';
import {
  formatAnswer,
  formatError,
  formatProgress,
  formatRequest,
  parseReply,
  parseRequest,
} from '../../src/control/protocol.ts';
import { ReplicationError } from '../../src/error.ts';

test('a request and an answer are one line each, and come back the same', () => {
  const request = { command: 'sync', input: { min: 2, text: 'a\nb' } };
  const line = formatRequest(request);
  expect(line.indexOf('\n')).toBe(line.length - 1);
  expect(parseRequest(line)).toEqual(request);
  expect(parseReply(formatAnswer({ txid: '1' }))).toEqual({
    kind: 'answer',
    answer: { txid: '1' },
  });
});

test('an error keeps its code, and an unknown one gets a known code', () => {
  const sent = new ReplicationError('STAGING_FULL', 'no room');
  expect(parseReply(formatError(sent))).toMatchObject({
    kind: 'error',
    error: { code: 'STAGING_FULL', message: 'no room' },
  });
  for (const line of [
    formatError(new Error('odd')),
    '{"kind":"error","code":"NEWER","message":"odd"}',
  ]) {
    expect(parseReply(line)).toMatchObject({
      kind: 'error',
      error: { code: 'REPLICA_UNKNOWN', message: 'odd' },
    });
  }
});

test('a reply of a later version may have other kinds', () => {
  expect(parseReply('{"version":1,"kind":"hint"}')).toEqual({ kind: 'other' });
});

test('progress is a line of its own', () => {
  const progress = { done: 1, of: 'a\nb' };
  const line = formatProgress(progress);
  expect(line.indexOf('\n')).toBe(line.length - 1);
  expect(parseReply(line)).toEqual({ kind: 'progress', progress });
});

test.each(['', '[]', 'null', '{}', 'HTTP/1.1 400'])('%j is not a reply', (line) => {
  expect(() => parseReply(line)).toThrow(expect.objectContaining({ code: 'NOT_RUNNING' }));
});
