// Adds up what the steps of .ci/run have left behind, and ends with one line: N passed, N failed.
//   node .ci/summary.mjs FOLDER
// In the folder: *.vitest.json (vitest's json reporter), *.tests.json ({ tests: [{ name, passed }] })
// and failed-steps.txt (names of steps that ended with an error, one a line).
//
// A test that ran twice counts once, and failed if it failed in either. A skipped test is a failure,
// but for one that waits for a tool in the run before the tools are installed (bare.vitest.json).

import fs from 'node:fs';
import path from 'node:path';

const BARE = 'bare.vitest.json';
/** As test/support/require.ts puts it. */
const EXCUSE = / not installed\)/;

const folder = process.argv[2];
/** Outcome by name; a failure stays. */
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
// A step that failed and has no failed test to show for it is a failure of its own.
for (const step of failedSteps()) if (!stepsExplained.has(step)) add(`step ${step}`, false);

for (const name of failures()) console.log(`failed: ${name}`);
const failed = failures().length;
console.log(`${outcomes.size - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 && outcomes.size > 0 ? 0 : 1;

function addVitest(file, report) {
  for (const suite of report.testResults) {
    const name = path.relative(process.cwd(), suite.name);
    // A file that could not be loaded has no tests, which must not look like success.
    if (suite.status === 'failed' && suite.assertionResults.length === 0) add(name, false);
    for (const test of suite.assertionResults)
      addTest(file, `${name} > ${test.fullName}`, test.status);
  }
}

function addTest(file, name, status) {
  if (status === 'passed') add(name, true);
  else if (file !== BARE || !EXCUSE.test(name))
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
