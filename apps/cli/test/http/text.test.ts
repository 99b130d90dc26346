/** The text of the metrics is the same as its lines, joined one by one, whatever is in them. */

import { expect, test } from 'vitest';
import { toLabels, type Family, type Labels, type Reading } from '../../src/http/metrics/family.ts';
import { MetricsText } from '../../src/http/metrics/text.ts';
import { randomFrom, type Choose } from '../support/random.ts';

const ROUNDS = 30;
const FAMILIES = [1, 2, 5];
const VIEWS = [0, 1, 3, 400, 3_000];
const VALUES = [0, -0, 1, -12.5, 0.1 + 0.2, 1e21, 1e-7, 2 ** 53, NaN, Infinity, -Infinity];
/** The last ones are longer than a text, and than a part. */
const PATHS = [
  '',
  'a.db',
  'é',
  '🙂/…',
  'a "quoted"\\\nname',
  'x'.repeat(20_000),
  'ü'.repeat(300_000),
];
const FREQUENT_PATHS = PATHS.slice(0, 5);

interface View {
  readonly readings: readonly Reading[];
}

function someReading(choose: Choose): Reading {
  const kind = choose(['unknown', 'number', 'number', 'number', 'list'] as const);
  if (kind === 'unknown') return undefined;
  if (kind === 'number') return choose(VALUES);
  const pairs = [{}, { state: 'open' }, { code: 'é"', result: 'ok' }];
  return pairs.slice(choose([0, 1, 2])).map((each) => [toLabels(each), choose(VALUES)]);
}

function linesOf(name: string, labels: Labels, reading: Reading): string {
  if (reading === undefined) return '';
  const values = typeof reading === 'number' ? ([['', reading]] as const) : reading;
  return values
    .map(([more, value]) => {
      const all = [labels, more].filter((each) => each !== '').join(',');
      return `${name}${all === '' ? '' : `{${all}}`} ${String(value)}\n`;
    })
    .join('');
}

test('the parts together are all lines, in their order', () => {
  const choose = randomFrom();
  for (let round = 0; round < ROUNDS; round++) {
    const families = Array.from({ length: choose(FAMILIES) }, (_, index): Family<View> => {
      return {
        name: `sluice_${index}_total`,
        type: choose(['gauge', 'counter']),
        help: choose(['Short', 'A long text — with more than ASCII']),
        read: ({ readings }) => readings[index],
      };
    });
    const isLong = choose([true, false, false, false]);
    const views = Array.from({ length: isLong ? 3 : choose(VIEWS) }, () => {
      const path = choose(isLong ? PATHS : FREQUENT_PATHS);
      const labels = toLabels(path === '' ? {} : { db: path });
      return {
        labels,
        bytes: Buffer.from(labels),
        view: { readings: families.map(() => someReading(choose)) },
      };
    });
    const text = new MetricsText();
    const labeled = views.map(({ bytes, view }) => ({ labels: bytes, view }));
    const taken = families.flatMap((family) => {
      text.add(family, labeled);
      return choose([true, false]) ? text.take() : [];
    });
    const parts = [...taken, ...text.end()];
    const expected = families.map(({ name, type, help, read }) => {
      const head = `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
      return head + views.map(({ labels, view }) => linesOf(name, labels, read(view))).join('');
    });
    expect(Buffer.concat(parts).equals(Buffer.from(expected.join('')))).toBe(true);
  }
});
