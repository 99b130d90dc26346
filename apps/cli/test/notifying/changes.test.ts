import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  afterMessage,
  describeMessage,
  planMessages,
  stillKnown,
  type Judged,
  type Told,
} from '../../src/notifying/changes.ts';

const ill = (path: string, message = 'bad'): Judged => ({
  path,
  healthy: false,
  problems: [{ stage: 'send', message }],
});
const well = (path: string): Judged => ({ path, healthy: true, problems: [] });

test('a message for the databases that became unhealthy, and one for those that are healthy again', () => {
  const told = new Set(['/b', '/c']);
  expect(planMessages(told, [ill('/a'), well('/b'), ill('/c'), well('/d')])).toEqual([
    { event: 'unhealthy', databases: [{ path: '/a', problems: ['bad'] }] },
    { event: 'healthy', databases: [{ path: '/b', problems: [] }] },
  ]);
});

test('nothing is sent twice, and a change that is over before it was sent is not sent', () => {
  let told: Told = new Set();
  const sendAll = (now: readonly Judged[]): number => {
    const messages = planMessages(told, now);
    for (const message of messages) told = afterMessage(told, message);
    return messages.length;
  };
  expect(sendAll([well('/a')])).toBe(0);
  expect(sendAll([ill('/a')])).toBe(1);
  expect(sendAll([ill('/a', 'another problem')])).toBe(0);
  expect(sendAll([well('/a')])).toBe(1);
  expect(sendAll([well('/a')])).toBe(0);
});

test('whatever happens, a target that got all messages knows who is unhealthy', () => {
  const state = fc.array(fc.boolean(), { minLength: 3, maxLength: 3 });
  fc.assert(
    fc.property(fc.array(fc.tuple(state, fc.boolean()), { maxLength: 20 }), (steps) => {
      let told: Told = new Set();
      for (const [states, isReached] of steps) {
        const now = states.map((healthy, index) =>
          healthy ? well(`/${index}`) : ill(`/${index}`),
        );
        for (const message of isReached ? planMessages(told, now) : []) {
          told = afterMessage(told, message);
        }
        const unhealthy = now.filter(({ healthy }) => !healthy).map(({ path }) => path);
        if (isReached) expect(told).toEqual(new Set(unhealthy));
      }
    }),
  );
});

test('a database that is not replicated any more is forgotten', () => {
  expect(stillKnown(new Set(['/a', '/b']), [ill('/b')])).toEqual(new Set(['/b']));
});

test('a message lists some of thousands of databases, and counts the others', () => {
  const databases = Array.from({ length: 5_000 }, (_, index) => {
    return { path: `/${index}`, problems: ['x'.repeat(10_000)] };
  });
  const { text, listed, more } = describeMessage({ event: 'unhealthy', databases });
  expect([listed.length, more]).toEqual([20, 4_980]);
  expect(text).toContain('and 4980 more');
  expect(text.length).toBeLessThan(20_000);
});
