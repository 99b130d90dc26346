/**
 * The tests, by what they need:
 *   unit         packages and the CLI, one part at a time
 *   conformance  every backend against one suite; against real servers where they are installed
 *   system       the rest of test/: the demo, the simulation, the test servers, packages put together
 *   interop      other programs: Litestream, systemd, Helm, shells (scripts/tools.mjs installs them)
 *   recovery     processes killed at random moments; after the rest, because some of them measure time
 *   outsider     the packages as npm packs them, installed; in CI only, since it takes minutes
 * `npm test` runs the first three, SLUICE_REQUIRE=all all. Where a server or a rival is absent, its tests are skipped with the
 * reason; under SLUICE_REQUIRE=all, as in CI, they fail (test/support/require.ts).
 */

import os from 'node:os';
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';

/** Test files at once. Many wait for processes, so that two per two cores leave a third of them idle. */
const WORKERS = os.availableParallelism() + 1;
const IN_CI = process.env['SLUICE_REQUIRE'] === 'all';
/** Tests that wait for processes and servers: far more than they take here, on a machine under load. */
const SYSTEM_TIMEOUT_MS = 300_000;
const UNIT_TIMEOUT_MS = 120_000;
/** Time limit for a polled condition: far more than it takes, also on a slow disk. */
const POLL_MS_MAX = 60_000;
/** Values in the messages of failed tests are cut to this length. The default of 40 hides what was found. */
const VALUE_CHARACTERS_MAX = 2_000;
/**
 * With memory protection keys, V8 sometimes ends a process that makes and drops many WebAssembly modules: "Check
 * failed: jit_page.has_value()" (nodejs/node#64500).
 */
const NODE_FLAGS = ['--no-memory-protection-keys'];
const OWN_PROJECT = ['test/{conformance,interop,outsider,recovery}/**'];
const OUTSIDER = 'outsider';

interface Project {
  name: string;
  include: string[];
  exclude?: string[];
  timeoutMs: number;
  /** Projects of one order run side by side. */
  order: number;
}

const PROJECTS: readonly Project[] = [
  {
    name: 'unit',
    include: ['packages/*/test/**/*.test.ts', 'apps/*/test/**/*.test.ts'],
    timeoutMs: UNIT_TIMEOUT_MS,
    order: 0,
  },
  {
    name: 'conformance',
    include: ['test/conformance/**/*.test.ts'],
    timeoutMs: SYSTEM_TIMEOUT_MS,
    order: 0,
  },
  {
    name: 'system',
    include: ['test/**/*.test.ts'],
    exclude: OWN_PROJECT,
    timeoutMs: SYSTEM_TIMEOUT_MS,
    order: 0,
  },
  {
    name: OUTSIDER,
    include: ['test/outsider/**/*.test.ts'],
    timeoutMs: SYSTEM_TIMEOUT_MS,
    order: 1,
  },
  {
    name: 'interop',
    include: ['test/interop/**/*.test.ts'],
    timeoutMs: SYSTEM_TIMEOUT_MS,
    order: 1,
  },
  {
    name: 'recovery',
    include: ['test/recovery/**/*.test.ts'],
    timeoutMs: SYSTEM_TIMEOUT_MS,
    order: 1,
  },
];

const wanted = PROJECTS.filter(({ name }) => IN_CI || name !== OUTSIDER);

export default defineConfig({ test: { projects: wanted.map((project) => toVitest(project)) } });

function toVitest(project: Project): TestProjectInlineConfiguration {
  return {
    test: {
      name: project.name,
      include: project.include,
      exclude: ['**/node_modules/**', ...(project.exclude ?? [])],
      testTimeout: project.timeoutMs,
      expect: { poll: { timeout: POLL_MS_MAX } },
      chaiConfig: { truncateThreshold: VALUE_CHARACTERS_MAX },
      hookTimeout: project.timeoutMs,
      pool: 'forks',
      execArgv: NODE_FLAGS,
      maxWorkers: WORKERS,
      sequence: { groupOrder: project.order },
    },
  };
}
