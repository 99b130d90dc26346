/** docs/errors.md shows the exact output for faulty destinations. */

import fs from 'node:fs';
import { expect, test } from 'vitest';
import { describeWith } from '../support/require.ts';
import { printedBy, SCENES } from './messages/scenes.ts';

const DOC = fs.readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');

/** Printed text by caption. */
const SHOWN = new Map(
  [...DOC.matchAll(/^\*\*(.+)\*\*\n\n```text\n([^]*?)\n```$/gm)].map(
    ([, caption = '', text = '']): [string, string] => [caption, text],
  ),
);

test('docs/errors.md shows exactly the tested situations', () => {
  expect([...SHOWN.keys()]).toEqual(SCENES.map(({ name }) => name));
});

for (const scene of SCENES) {
  describeWith(scene.tools, 'docs/errors.md shows the exact output of', () => {
    test(scene.name, async () => {
      expect(await printedBy(scene)).toBe(SHOWN.get(scene.name));
    });
  });
}
