// Adds up the results of the steps of .ci/run. Prints the messages of the failed tests, then their names. The last
// line is "N passed, N failed".
//   node .ci/summary.mjs FOLDER
// Reads from the folder: *.vitest.json (vitest's json reporter), *.tests.json ({ tests: [{ name, passed }] })
// and failed-steps.txt (names of failed steps, one per line).
//
// A test that ran twice counts once, as failed if either run failed. A skipped test counts as failed, except for
// tests of the run before the tools are installed (bare.vitest.json) that wait for a tool or for SLUICE_REQUIRE=all.

import fs from 'node:fs';
import path from 'node:path';
import { stripVTControlCharacters } from 'node:util';

const BARE = 'bare.vitest.json';
/** Parts of the messages of test/support/require.ts. */
const RUNS_LATER = /( not installed|\(runs with SLUICE_REQUIRE=all)\)/;
const STACK_OF_LIBRARY = /^\s+at .*(node_modules|node:internal|<anonymous>)/;
/** Only the end of a long output may be kept, so each message is cut. */
const MESSAGE_LINES_MAX = 30;
const MESSAGE_CHARACTERS_MAX = 3_000;

const folder = process.argv[2];
/** Whether each test passed, by name. */
const outcomes = new Map();
const stepsExplained = new Set();
/** What the failed tests reported: { step, name, message }. */
const reports = [];

for (const file of fs.readdirSync(folder).sort()) {
  const step = file.split('.')[0];
  const before = failures().length;
  if (file.endsWith('.vitest.json')) addVitest(file, step, read(file));
  if (file.endsWith('.tests.json'))
    for (const test of read(file).tests) add(test.name, test.passed);
  if (failures().length > before) stepsExplained.add(step);
}
// A failed step without a failed test counts as a failure itself.
for (const step of failedSteps()) if (!stepsExplained.has(step)) add(`step ${step}`, false);

for (const { step, name, message } of reports) {
  console.log(`--- ${step}: ${name}\n${cut(message)}\n`);
}
for (const name of failures()) console.log(`failed: ${name}`);
const failed = failures().length;
console.log(`${outcomes.size - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 && outcomes.size > 0 ? 0 : 1;

function addVitest(file, step, report) {
  for (const suite of report.testResults) {
    const name = path.relative(process.cwd(), suite.name);
    // A file that failed to load has no tests.
    if (suite.status === 'failed' && suite.assertionResults.length === 0) add(name, false);
    // Set if the file failed to load, or failed outside of its tests.
    if (suite.message) reports.push({ step, name, message: suite.message });
    for (const test of suite.assertionResults) {
      const testName = `${name} > ${test.fullName}`;
      addTest(file, testName, test.status);
      if (test.status !== 'failed') continue;
      // A test that is retried has a message for each time, often the same.
      const message = [...new Set(test.failureMessages)].join('\n');
      if (message) reports.push({ step, name: testName, message });
    }
  }
}

/** The beginning of a message, without colors and without calls of vitest. */
function cut(message) {
  const lines = stripVTControlCharacters(message)
    .trimEnd()
    .split('\n')
    .filter((line) => !STACK_OF_LIBRARY.test(line));
  const whole = lines.join('\n');
  const text = lines.slice(0, MESSAGE_LINES_MAX).join('\n').slice(0, MESSAGE_CHARACTERS_MAX);
  return text === whole ? text : `${text}\n[cut]`;
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
