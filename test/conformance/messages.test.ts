/** docs/errors.md shows what is printed when a destination is not right, to the letter. */

import fs from 'node:fs';
import { expect, test } from 'vitest';
import { describeWith } from '../support/require.ts';
import { printedBy, SCENES } from './messages/scenes.ts';

const DOC = fs.readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');

/** Caption -> what is printed. */
const SHOWN = new Map(
  [...DOC.matchAll(/^\*\*(.+)\*\*\n\n```text\n([^]*?)\n```$/gm)].map(
    ([, caption = '', text = '']): [string, string] => [caption, text],
  ),
);

test('docs/errors.md shows what is tried here, and nothing else', () => {
  expect([...SHOWN.keys()]).toEqual(SCENES.map(({ name }) => name));
});

for (const scene of SCENES) {
  describeWith(scene.tools, 'what is printed', () => {
    test(`of ${scene.name}`, async () => {
      expect(await printedBy(scene)).toBe(SHOWN.get(scene.name));
    });
  });
}
