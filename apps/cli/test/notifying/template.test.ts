import { expect, test } from 'vitest';
import { problemWithTemplate, renderTemplate } from '../../src/notifying/template.ts';

const VALUES = {
  event: 'unhealthy',
  text: '/a is not backed up: "disk"\nand 1 more',
  databases: '/a, /b',
  count: '2',
  host: 'web-1',
  time: '2026-01-31T12:00:00.000Z',
};

test('text gets the values as they are', () => {
  expect(renderTemplate('{{event}} on {{ host }}: {{text}}', VALUES)).toEqual({
    body: 'unhealthy on web-1: /a is not backed up: "disk"\nand 1 more',
    contentType: 'text/plain; charset=utf-8',
  });
});

test('a template that is JSON stays JSON whatever the values are', () => {
  const template = '{ "text": "{{text}}", "blocks": [{ "n": 1, "count": "{{count}}" }] }';
  const { body, contentType } = renderTemplate(template, VALUES);
  expect(contentType).toBe('application/json');
  expect(JSON.parse(body)).toEqual({ text: VALUES.text, blocks: [{ n: 1, count: '2' }] });
});

test('a value with braces is not filled in again', () => {
  expect(renderTemplate('{{text}}', { ...VALUES, text: '{{host}}' }).body).toBe('{{host}}');
});

test.each([
  ['{{text}} {{event}}', undefined],
  ['no fields', undefined],
  [
    '{{txt}}',
    'template has the unknown field {{txt}}; the fields are event, text, databases, count, host, time',
  ],
])('what is wrong with the template %s', (template, problem) => {
  expect(problemWithTemplate(template)).toBe(problem);
});
