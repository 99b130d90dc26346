import { expect, test } from 'vitest';
import { seedOf } from '../support/random.ts';
import { torture } from './torture/torture.ts';

const IN_CI = process.env['SLUICE_REQUIRE'] === 'all';
const ROUNDS = Number(process.env['SLUICE_TORTURE_ROUNDS'] ?? (IN_CI ? 15 : 8));

for (const pageSize of [512, 4096, 16384]) {
  test(`the page map equals the database after every round, pages of ${pageSize}`, async () => {
    const seed = seedOf();
    console.log(`SLUICE_SEED=${seed}`);
    const report = await torture({ seed, rounds: ROUNDS, pageSize });
    const text = JSON.stringify(report);
    console.log(text);
    expect(report.broken, text).toBeUndefined();
    expect(report.increments, text).toBeGreaterThan(0);
    expect(report.images, text).toBeGreaterThan(0);
  }, 600_000);
}
