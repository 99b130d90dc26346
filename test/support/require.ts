/**
 * Tests that need a real server or rival: where it is absent they are skipped, with the reason;
 * under SLUICE_REQUIRE=all, as in CI, that is a failure.
 */

import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe } from 'vitest';

const ROOT = path.resolve(fileURLToPath(new URL('.', import.meta.url)), '..', '..');
const TOOLS = process.env['SLUICE_TOOLS'] ?? path.join(ROOT, '.cache', 'tools');

const PLACES = {
  minio: 'bin/minio',
  versitygw: 'bin/versitygw',
  'litestream-0.5.18': 'bin/litestream',
  'litestream-0.5.17': 'ls05/bin/litestream',
  'litestream-0.5.12': 'ls0512/bin/litestream',
  'litestream-0.3.13': 'ls03/bin/litestream',
} as const;

export type Tool = keyof typeof PLACES;

/** Path of a tool's binary, or undefined where it is not installed. */
export function toolPath(tool: Tool): string | undefined {
  const file = path.join(TOOLS, PLACES[tool]);
  return fs.existsSync(file) ? file : undefined;
}

/** `describe`, if all `tools` are there. */
export function describeWith(tools: readonly Tool[], name: string, body: () => void): void {
  const absent = tools.filter((tool) => toolPath(tool) === undefined);
  if (absent.length === 0) {
    describe(name, body);
    return;
  }
  const reason = `${absent.join(', ')} not installed (node scripts/tools.mjs)`;
  if (process.env['SLUICE_REQUIRE'] === 'all') throw new Error(`${name}: ${reason}`);
  describe.skip(`${name}: ${reason}`, body);
}

/** Path of a tool that `describeWith` has found. */
export function needTool(tool: Tool): string {
  const file = toolPath(tool);
  if (file === undefined) throw new Error(`${tool} is not installed`);
  return file;
}
