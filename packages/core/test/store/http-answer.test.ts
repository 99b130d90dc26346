/** Detects answers that do not come from the provider. */

import { describe, expect, test } from 'vitest';
import {
  errorOfForeignAnswer,
  isPage,
  isRedirect,
  ForeignAnswerError,
  rootOfXML,
  type ForeignAnswer,
} from '../../src/store/http/answer.ts';

describe('the root of a document', () => {
  test.each([
    ['<ListBucketResult></ListBucketResult>', 'ListBucketResult'],
    ['\uFEFF<?xml version="1.0"?>\n<!-- one -->\n<Result xmlns="urn:x"><A/></Result>\n', 'Result'],
    ['<Result/>', 'Result'],
    ['<Result a="1" />', 'Result'],
    ['<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"></html>', 'html'],
  ])('%j is %s', (text, root) => {
    expect(rootOfXML(text)).toBe(root);
  });

  test.each([
    ['', 'nothing'],
    ['{"a":1}', 'JSON'],
    ['<!doctype html><html></html>', 'a page'],
    ['<Result><A>', 'broken off'],
    ['<Result></Other>', 'the end of another'],
    ['text <Result></Result>', 'something before it'],
    ['<Result', 'no tag'],
  ])('%j has none: %s', (text) => {
    expect(rootOfXML(text)).toBeUndefined();
  });
});

describe('a web page', () => {
  test.each([
    '<!doctype html><title>Sign in</title>',
    '\n<HTML>',
    '<?xml version="1.0"?><!-- x --><html>',
  ])('is recognized by its beginning: %j', (text) => {
    expect(isPage(text)).toBe(true);
  });

  test('is recognized by its content type, unless it is empty', () => {
    expect(isPage('Please sign in', 'text/html; charset=utf-8')).toBe(true);
    expect(isPage(undefined, 'text/html')).toBe(true);
    expect(isPage('', 'text/html')).toBe(false); // some servers send this type with an empty body
    expect(isPage('<Error/>', 'application/xml')).toBe(false);
    expect(isPage('{"a":"<html>"}')).toBe(false);
  });
});

describe('a foreign answer', () => {
  const error = (answer: Partial<ForeignAnswer>) =>
    errorOfForeignAnswer(new ForeignAnswerError({ status: 200, lacks: '', ...answer }), {
      what: 'list x',
      provider: 'an S3 server',
    });

  test('is retryable, and its status is dropped', () => {
    expect(error({ status: 404, text: '<html>' })).toMatchObject({
      code: 'REPLICA_UNAVAILABLE',
      retryable: true,
      status: undefined,
    });
    expect(error({ status: 429, text: '' }).code).toBe('REPLICA_RATE_LIMITED');
  });

  test.each([
    [{ text: '<!doctype html>' }, 'status 200, a web page'],
    [{ text: ' ' }, 'status 200, an empty body'],
    [
      { text: '{"status":"ok"}', lacks: 'no ETag' },
      'status 200, no ETag, "{\\"status\\":\\"ok\\"}"',
    ],
    [
      { status: 302, location: 'https://login.example.com/?token=secret' },
      'status 302, redirects to https://login.example.com/',
    ],
  ])('%j is described as %j', (answer, said) => {
    expect(error(answer).message).toBe(
      `list x: this does not look like an S3 server: ${said}; ` +
        'check endpoint, and whether a proxy or a login page answers instead',
    );
  });

  test.each([
    'Client sent an HTTP request to an HTTPS server.\n',
    '<html>The plain HTTP request was sent to HTTPS port</html>',
  ])('that requires TLS has a hint to use https: %j', (text) => {
    expect(error({ status: 400, text }).message).toMatch(/write https:\/\/ in endpoint$/);
  });
});

test('304 is not a redirect', () => {
  expect([301, 302, 303, 307, 308].every(isRedirect)).toBe(true);
  expect([200, 304, 400].some(isRedirect)).toBe(false);
});
