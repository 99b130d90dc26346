import { expect, test } from 'vitest';
import { SentSnapshot } from '../../src/replicate/destination/sender.ts';

test.each([
  [[210 * 1024 * 1024], 12_400, 'full snapshot sent: 210 MiB in 12 s'],
  [[1_000, 200], 340, 'full snapshot sent: 1.2 KiB in 0.3 s'],
])('%j bytes in %d ms: %s', (sizes, tookMs, said) => {
  let now = 5_000;
  const sent = new SentSnapshot({ monotonic: () => now });
  for (const size of sizes) sent.add(size);
  now += tookMs;
  expect(sent.describe()).toBe(said);
});
