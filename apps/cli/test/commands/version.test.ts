import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { sluice } from '../support/shell.ts';

const MANIFEST = path.resolve(import.meta.dirname, '../../package.json');

test('version -verbose names all that a report needs, and each installed package', async () => {
  const { version, dependencies } = JSON.parse(fs.readFileSync(MANIFEST, 'utf8')) as {
    version: string;
    dependencies: Record<string, string>;
  };
  expect((await sluice(['version'])).stdout).toBe(`${version}\n`);
  const { stdout } = await sluice(['version', '-verbose', '-json']);
  const details = JSON.parse(stdout) as Record<string, string>;
  expect(details).toMatchObject({
    version,
    node: process.versions.node,
    sqlite: expect.stringMatching(/^3\.\d+\.\d+$/),
    platform: `${process.platform}-${process.arch}`,
    program: process.execPath,
    installed: `${path.dirname(MANIFEST)}${path.sep}`,
  });
  for (const name of Object.keys(dependencies))
    expect(details[name], name).toMatch(/^\d+\.\d+\.\d+/);
  const lines = (await sluice(['version', '-verbose'])).stdout.split('\n');
  expect(lines[0]).toBe(version);
  expect(lines).toContain(`sqlite ${details['sqlite']}`);
});
