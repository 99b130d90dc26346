import { describe, expect, test } from 'vitest';
import { reachableTXIDs } from '../../src/history/chain.ts';
import { planSteps } from '../../src/warm-copy/steps.ts';
import { file, names } from '../restore/files.ts';
import { randomFrom } from '../support/random.ts';

describe('the next steps of a copy', () => {
  test.each([
    ['nothing is listed', [], 5, 'empty'],
    ['the newest state is the copy’s', [file(0, 4, 4), file(0, 5, 5)], 5, 'current'],
    ['everything is older', [file(9, 1, 4)], 5, 'older'],
    ['the next file is missing', [file(0, 7, 7), file(0, 8, 8)], 5, 'gap'],
    ['only a snapshot leads on', [file(9, 1, 8)], 5, 'gap'],
  ])('if %s: %s', (_, listed, txid, kind) => {
    expect(planSteps(listed, BigInt(txid)).kind).toBe(kind);
  });

  test('are the longest files, without snapshots', () => {
    const listed = [file(9, 1, 9), file(0, 6, 6), file(1, 5, 8), file(0, 7, 7), file(0, 9, 9)];
    const steps = planSteps(listed, 5n);
    expect(steps.kind === 'files' && names(steps.files)).toBe('1/5-8 0/9-9');
  });

  test('still aim at the newest state if its only file is damaged', () => {
    const damaged = file(0, 7, 7);
    const steps = planSteps([file(0, 6, 6), damaged], 5n, (each) => each === damaged);
    expect(steps).toEqual({ kind: 'gap', missing: 7n, highest: 7n });
  });

  test('exist if and only if the files below level 9 lead there', () => {
    const random = randomFrom(5);
    let found = 0;
    for (let round = 0; round < 2_000; round++) {
      const listed = Array.from({ length: random.int(1, 8) }, () => {
        const min = random.int(2, 12);
        return file(random.int(0, 3), min, min + random.int(0, 4));
      });
      const txid = BigInt(random.int(1, 12));
      const steps = planSteps(listed, txid);
      const highest = listed.reduce((max, each) => (each.maxTXID > max ? each.maxTXID : max), 0n);
      const base = file(9, 1, Number(txid));
      const later = listed.filter(({ maxTXID }) => maxTXID > txid);
      const isReachable = reachableTXIDs([base, ...later]).at(-1) === highest;
      expect([round, steps.kind === 'files']).toEqual([round, highest > txid && isReachable]);
      if (steps.kind === 'files') found += 1;
    }
    expect(found).toBeGreaterThan(100);
  });
});
