/**
 * Tests that need a real server or a rival's binary. Where it is absent they are skipped, with the
 * reason in their name; under SLUICE_REQUIRE=all, as in CI, an absent one is a failure, so that a
 * green run there means that everything was tried. `node scripts/tools.mjs` installs them.
 */

import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'vitest';

const ROOT = path.resolve(import.meta.dirname, '..', '..');
/** scripts/tools.mjs installs here. */
const TOOLS = process.env['SLUICE_TOOLS'] ?? path.join(ROOT, '.cache', 'tools');

const FILES = {
  azurite: 'azurite/node_modules/.bin/azurite-blob',
  minio: 'bin/minio',
  versitygw: 'bin/versitygw',
  'fake-gcs-server': 'bin/fake-gcs-server',
  toxiproxy: 'toxiproxy/server',
  rclone: 'bin/rclone',
  'litestream-0.5.18': 'bin/litestream',
  'litestream-0.5.17': 'ls05/bin/litestream',
  'litestream-0.5.12': 'ls0512/bin/litestream',
  'litestream-0.3.13': 'ls03/bin/litestream',
  // Debian packages: wherever they are installed.
  sshd: '/usr/sbin/sshd',
  proftpd: '/usr/lib/proftpd/mod_sftp.so',
  unshare: '/usr/bin/unshare',
  'ssh-agent': '/usr/bin/ssh-agent',
} as const;

export type Tool = keyof typeof FILES;

/** `describe`, if all `tools` are installed; else the body is skipped, or fails. */
export function describeWith(tools: readonly Tool[], name: string, body: () => void): void {
  const absent = tools.filter((tool) => !isInstalled(tool));
  if (absent.length === 0) {
    describe(name, body);
    return;
  }
  // .ci/summary.mjs knows these words: a test that is skipped without them has no excuse.
  const reason = `${absent.join(', ')} not installed`;
  if (process.env['SLUICE_REQUIRE'] !== 'all') {
    describe.skip(`${name} (${reason})`, body);
    return;
  }
  test(name, () => {
    throw new Error(`${reason}, and SLUICE_REQUIRE=all: node scripts/tools.mjs`);
  });
}

/** Path of the binary. Inside of `describeWith` it is there. */
export function needTool(tool: Tool): string {
  if (!isInstalled(tool)) throw new Error(`${tool} is not installed: node scripts/tools.mjs`);
  return fileOf(tool);
}

function isInstalled(tool: Tool): boolean {
  return fs.existsSync(fileOf(tool));
}

function fileOf(tool: Tool): string {
  return path.resolve(TOOLS, FILES[tool]);
}
