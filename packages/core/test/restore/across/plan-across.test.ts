/** Which source each file of a plan is read from. */

import { expect, test } from 'vitest';
import { planAcross } from '../../../src/restore/across/plan-across.ts';
import type { SourcedFile } from '../../../src/restore/plan/sources.ts';
import { toTXID } from '../../../src/ltx/txid.ts';
import { Bucket } from '../bucket.ts';
import { file } from '../files.ts';

type Files = readonly (readonly [level: number, min: number, max: number, sizeBytes: number])[];

/** The nearest first. */
function filesOf(
  ...places: readonly (readonly [name: string, ms: number, files: Files])[]
): SourcedFile[] {
  return places.flatMap(([name, listedInMs, files]) => {
    const source = { name, listedInMs, client: new Bucket().client() };
    return files.map(([level, min, max, sizeBytes]) => ({
      ...file(level, min, max, { sizeBytes }),
      source,
    }));
  });
}

function planned(
  files: readonly SourcedFile[],
  isAvoided: (each: SourcedFile) => boolean = () => false,
): string[] {
  const plan = planAcross(files, { kind: 'latest' }, { isAvoided });
  return plan.files.map(({ source, level, maxTXID }) => `${source.name} ${level}/${maxTXID}`);
}

const MB = 1_000_000;
const near = [
  [9, 1, 50, 100 * MB],
  [1, 51, 60, MB],
] as const;
const far = [...near, [9, 1, 61, 100 * MB], [0, 61, 61, 1_000]] as const;

test('a nearest source that has the state is used alone', () => {
  const files = filesOf(['near', 2, far], ['far', 60, far]);
  expect(planned(files)).toEqual(['near 9/61']);
});

test('an older snapshot at the near source costs less than a newer one at the far source', () => {
  const files = filesOf(['near', 2, near], ['far', 60, far]);
  expect(planned(files)).toEqual(['near 9/50', 'near 1/60', 'far 0/61']);
});

test('a newer snapshot is used if its source is as near', () => {
  const files = filesOf(['near', 2, near], ['other', 2, far]);
  expect(planned(files)).toEqual(['other 9/61']);
});

test('a file that is avoided is taken from the next source', () => {
  const files = filesOf(['near', 2, near], ['far', 60, far]);
  const isAvoided = ({ source, level }: SourcedFile): boolean =>
    source.name === 'near' && level === 1;
  expect(planned(files, isAvoided)).toEqual(['near 9/50', 'far 1/60', 'far 0/61']);
});

test('a file that is avoided everywhere is a gap', () => {
  const files = filesOf(['near', 2, near], ['far', 60, [...near, [0, 61, 61, 1_000]]]);
  const isAvoided = ({ maxTXID }: SourcedFile): boolean => maxTXID === toTXID(61);
  expect(() => planned(files, isAvoided)).toThrow(/TXID 000000000000003d is missing/);
});
