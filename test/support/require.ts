/**
 * Tests that need a real server or Litestream's binary. Without it they are skipped, with the reason in
 * their name. With SLUICE_REQUIRE=all, as in CI, they fail instead, so that a passing run means that all
 * tests ran. `node scripts/tools.mjs` installs the tools.
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
  'github-schemas': 'github/check_jsonschema/__init__.py',
  hadolint: 'hadolint/bin/hadolint',
  helm: 'bin/helm',
  kamal: 'kamal/kamal/__main__.py',
  'kubernetes-schemas': 'kubernetes/kubernetes_validate/__init__.py',
  age: 'bin/age',
  'litestream-0.5.18': 'bin/litestream',
  'litestream-0.5.17': 'ls05/bin/litestream',
  'litestream-0.5.12': 'ls0512/bin/litestream',
  'litestream-0.3.13': 'ls03/bin/litestream',
  // Installed by Debian packages.
  sshd: '/usr/sbin/sshd',
  proftpd: '/usr/lib/proftpd/mod_sftp.so',
  promtool: '/usr/bin/promtool',
  bash: '/bin/bash',
  unshare: '/usr/bin/unshare',
  'ssh-agent': '/usr/bin/ssh-agent',
  strace: '/usr/bin/strace',
  'systemd-analyze': '/usr/bin/systemd-analyze',
  'systemd-notify': '/usr/bin/systemd-notify',
  zsh: '/usr/bin/zsh',
  fish: '/usr/bin/fish',
  mandoc: '/usr/bin/mandoc',
  python3: '/usr/bin/python3',
  chromium: '/usr/bin/chromium',
} as const;

export type Tool = keyof typeof FILES;

/** Like `describeWith`, for slow tests of a further server of a kind: they run in CI only. */
export function describeInCI(tools: readonly Tool[], name: string, body: () => void): void {
  if (process.env['SLUICE_REQUIRE'] === 'all') describeWith(tools, name, body);
  // .ci/summary.mjs matches these words.
  else describe.skip(`${name} (runs with SLUICE_REQUIRE=all)`, body);
}

/** `describe` if all `tools` are installed. Otherwise the tests are skipped or fail. */
export function describeWith(tools: readonly Tool[], name: string, body: () => void): void {
  const absent = tools.filter((tool) => !isInstalled(tool));
  if (absent.length === 0) {
    describe(name, body);
    return;
  }
  // .ci/summary.mjs matches these words: a test that is skipped without them counts as failed.
  const reason = `${absent.join(', ')} not installed`;
  if (process.env['SLUICE_REQUIRE'] !== 'all') {
    describe.skip(`${name} (${reason})`, body);
    return;
  }
  test(name, () => {
    throw new Error(`${reason}, and SLUICE_REQUIRE=all: node scripts/tools.mjs`);
  });
}

/** Path of the binary. Inside `describeWith` it is installed. */
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
