/** Each planted error can be planted: the text that it replaces is in the sources exactly once. */

import { expect, test } from 'vitest';
import {
  plant,
  PLANTED,
  PLANTED_IN_THE_TAIL,
} from '../../../../packages/core/test/support/mutant.ts';
import { PLANTED_FOR_ACTORS } from './planted.ts';

const ALL = Object.entries({ ...PLANTED, ...PLANTED_IN_THE_TAIL, ...PLANTED_FOR_ACTORS });

test.each(ALL)('%s can be planted', (name, planted) => {
  const mutant = plant(`can-${name.replaceAll(' ', '-')}`, planted);
  expect(mutant.src).toContain('can-');
  mutant.remove();
});
