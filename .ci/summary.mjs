// Adds up the results of the steps of .ci/run. The last line is "N passed, N failed".
//   node .ci/summary.mjs FOLDER
// Reads from the folder: *.vitest.json (vitest's json reporter), *.tests.json ({ tests: [{ name, passed }] })
// and failed-steps.txt (names of failed steps, one per line).
//
// A test that ran twice counts once, as failed if either run failed. A skipped test counts as failed, except for
// tests of the run before the tools are installed (bare.vitest.json) that wait for a tool or for SLUICE_REQUIRE=all.

import fs from 'node:fs';
import path from 'node:path';

const BARE = 'bare.vitest.json';
/** Parts of the messages of test/support/require.ts. */
const RUNS_LATER = /( not installed|\(runs with SLUICE_REQUIRE=all)\)/;

const folder = process.argv[2];
/** Whether each test passed, by name. */
const outcomes = new Map();
const stepsExplained = new Set();

for (const file of fs.readdirSync(folder).sort()) {
  const step = file.split('.')[0];
  const before = failures().length;
  if (file.endsWith('.vitest.json')) addVitest(file, read(file));
  if (file.endsWith('.tests.json'))
    for (const test of read(file).tests) add(test.name, test.passed);
  if (failures().length > before) stepsExplained.add(step);
}
// A failed step without a failed test counts as a failure itself.
for (const step of failedSteps()) if (!stepsExplained.has(step)) add(`step ${step}`, false);

for (const name of failures()) console.log(`failed: ${name}`);
const failed = failures().length;
console.log(`${outcomes.size - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 && outcomes.size > 0 ? 0 : 1;

function addVitest(file, report) {
  for (const suite of report.testResults) {
    const name = path.relative(process.cwd(), suite.name);
    // A file that failed to load has no tests.
    if (suite.status === 'failed' && suite.assertionResults.length === 0) add(name, false);
    for (const test of suite.assertionResults)
      addTest(file, `${name} > ${test.fullName}`, test.status);
  }
}

function addTest(file, name, status) {
  if (status === 'passed') add(name, true);
  else if (file !== BARE || !RUNS_LATER.test(name))
    add(status === 'failed' ? name : `${name} (${status})`, false);
}

function add(name, passed) {
  outcomes.set(name, passed && outcomes.get(name) !== false);
}

function failures() {
  return [...outcomes].filter(([, passed]) => !passed).map(([name]) => name);
}

function failedSteps() {
  const file = path.join(folder, 'failed-steps.txt');
  return fs.existsSync(file) ? fs.readFileSync(file, 'utf8').split('\n').filter(Boolean) : [];
}

function read(file) {
  return JSON.parse(fs.readFileSync(path.join(folder, file), 'utf8'));
}
