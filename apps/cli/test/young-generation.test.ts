import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';

const MODULE = new URL('../src/young-generation.ts', import.meta.url).href;

/** Size of the young generation, in MiB, after `objects` were allocated of which many survive for a while. */
function youngMiB(before: string, objects = 1_000_000): number {
  const script = `
    import { getHeapSpaceStatistics } from 'node:v8';
    ${before}
    let kept = [];
    for (let count = 0; count < ${objects}; count++) {
      kept.push({ count, list: [count] });
      if (kept.length > 60_000) kept = [];
    }
    const space = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space');
    console.log(space.space_size / 1024 / 1024);`;
  return Number(execFileSync(process.execPath, ['--input-type=module', '-e', script]));
}

test('the young generation stays small', () => {
  const limited = `import { limitYoungGeneration } from '${MODULE}'; limitYoungGeneration();`;
  expect(youngMiB('')).toBeGreaterThan(8);
  expect(youngMiB(limited)).toBeLessThan(8); // semi-spaces of 1 MiB, and what V8 has not returned yet
});

test('the young generation of a restore has 8 MiB from the beginning, and stays so', () => {
  const grow = `import { growYoungGeneration } from '${MODULE}'; growYoungGeneration();`;
  expect(youngMiB(grow)).toBe(8);
  expect(youngMiB(grow, 0)).toBe(8);
});
