/** The files of several destinations by name, compared with a search through all listings. */

import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { unionOf, type Listing } from '../../src/history/union.ts';
import { FileSet } from '../../src/replica/file-set.ts';
import { file } from '../restore/files.ts';

const anyListing = fc.record({
  sizes: fc.constantFrom('plain', 'encrypted'),
  files: fc.array(
    fc.record({ level: fc.nat(2), min: fc.integer({ min: 1, max: 4 }), size: fc.nat(2) }),
    { maxLength: 12 },
  ),
});

test('each name is listed once with all its holders, in the order of the listings', () => {
  fc.assert(
    fc.property(fc.array(anyListing, { maxLength: 4 }), (made) => {
      const listings = made.map(({ sizes, files }, place): Listing<number> => {
        const infos = files.map(({ level, min, size }) =>
          file(level, min, min + 1, { sizeBytes: 200 + size }),
        );
        return { place, sizes, files: FileSet.of(infos).all() };
      });
      const union = unionOf(listings);
      const names = union.map(({ level, minTXID }) => `${level} ${minTXID}`);
      expect(names).toEqual([...new Set(names)].sort());
      expect(union.flatMap(({ holders }) => holders)).toHaveLength(
        listings.reduce((sum, { files }) => sum + [...files].length, 0),
      );
      for (const { level, minTXID, holders, sizes } of union) {
        const expected = listings.flatMap(({ place, files }) =>
          [...files]
            .filter((each) => each.level === level && each.minTXID === minTXID)
            .map((each) => ({ place, file: each })),
        );
        expect(holders.map(({ place, file: held }) => ({ place, file: held }))).toEqual(expected);
        const plain = expected.filter(({ place }) => listings[place]?.sizes === 'plain');
        const isEqual = plain.every(
          ({ file: { sizeBytes } }) => sizeBytes === plain[0]?.file.sizeBytes,
        );
        expect(sizes).toBe(isEqual ? 'equal' : 'different');
      }
    }),
  );
});

test('the size of an encrypted file is not compared', () => {
  const plain = { place: 'a', sizes: 'plain', files: [file(0, 2, 2, { sizeBytes: 300 })] } as const;
  const other = { place: 'b', files: [file(0, 2, 2, { sizeBytes: 500 })] } as const;
  expect(unionOf([plain, { ...other, sizes: 'plain' }])[0]?.sizes).toBe('different');
  const [encrypted] = unionOf([plain, { ...other, sizes: 'encrypted' }]);
  expect(encrypted?.sizes).toBe('equal');
  expect(encrypted?.holders.map(({ sizeBytes }) => sizeBytes)).toEqual([300, undefined]);
});
