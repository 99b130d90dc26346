// Runs the benchmarks, stores their results, and updates the tables and the plot:
//   pnpm bench [name…]        all, or those whose file name starts with one of the names
//
// A benchmark is packages/*/bench/NAME.bench.{mjs,ts}, apps/*/bench/… or test/figures/…. With --json
// its last line on stdout is:
//   { name, command, machine?, note?, rows: [{ what, unit, ours, beside?: { label: value }, bar?, lowerIsBetter? }],
//     curves?: [{ title, x, y, log?, lines: { label: 'x,y x,y …' } }] }
// where `bar` is the target, x and y name the axes, and `log` is the axis with a logarithmic scale ('x', 'y', 'both').
// Its stderr is passed on. LITESTREAM_BIN and LITESTREAM_03_BIN are the paths of Litestream, and of its version
// 0.3.13, if scripts/tools.mjs has installed them.
//
// Results go to BENCHMARKS.json, the tables of BENCHMARKS.md between their markers, docs/benchmarks.svg, and
// docs/benchmarks-NAME.svg if there are curves. Other results are kept. Exits with 1 if a benchmark fails or misses a target.

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { drawCurves } from './bench-curves.mjs';
import { drawPlot } from './bench-plot.mjs';
import { curvesFile, reaches, withTables } from './bench-tables.mjs';
import { ROOT, setUp } from './set-up.mjs';

const RESULTS = path.join(ROOT, 'BENCHMARKS.json');
const PAGE = path.join(ROOT, 'BENCHMARKS.md');
const PLOT = path.join(ROOT, 'docs', 'benchmarks.svg');
const TOOLS = process.env.SLUICE_TOOLS ?? path.join(ROOT, '.cache', 'tools');
const BINARIES = {
  LITESTREAM_BIN: path.join(TOOLS, 'bin', 'litestream'),
  LITESTREAM_03_BIN: path.join(TOOLS, 'ls03', 'bin', 'litestream'),
};

const { node, env } = setUp();
const wanted = process.argv.slice(2);
const files = benchmarks().filter((file) => isWanted(file));
if (files.length === 0) fail(`unknown benchmark: ${wanted.join(', ')}`);

const results = fs.existsSync(RESULTS) ? JSON.parse(fs.readFileSync(RESULTS, 'utf8')) : {};
let isGood = true;
for (const file of files) {
  const result = measure(file);
  if (result === undefined) isGood = false;
  else results[result.name] = result;
}
fs.writeFileSync(RESULTS, `${JSON.stringify(results, null, 2)}\n`);
fs.writeFileSync(PAGE, withTables(fs.readFileSync(PAGE, 'utf8'), results));
fs.writeFileSync(PLOT, drawPlot(results));
for (const { name, curves } of Object.values(results)) {
  if (curves !== undefined) fs.writeFileSync(path.join(ROOT, curvesFile(name)), drawCurves(curves));
}
for (const { name, rows } of Object.values(results)) {
  for (const row of rows.filter((row) => !reaches(row))) {
    console.log(`target missed: ${name}, ${row.what}: ${row.ours} ${row.unit}, target ${row.bar}`);
    isGood = false;
  }
}
process.exitCode = isGood ? 0 : 1;

function benchmarks() {
  const parents = ['packages', 'apps'].flatMap((parent) =>
    fs.readdirSync(path.join(ROOT, parent)).map((name) => path.join(parent, name, 'bench')),
  );
  return [...parents, path.join('test', 'figures')].flatMap((folder) => {
    const absolute = path.join(ROOT, folder);
    const names = fs.existsSync(absolute) ? fs.readdirSync(absolute) : [];
    return names
      .filter((name) => /\.bench\.(mjs|ts)$/.test(name))
      .map((name) => path.join(folder, name));
  });
}

function isWanted(file) {
  return wanted.length === 0 || wanted.some((name) => path.basename(file).startsWith(name));
}

/** Returns the result, or undefined, after printing the error, if the benchmark failed. */
function measure(file) {
  console.log(`${file} …`);
  const started = Date.now();
  const binaries = Object.entries(BINARIES).filter(([, binary]) => fs.existsSync(binary));
  const child = spawnSync(node, [file, '--json'], {
    cwd: ROOT,
    env: { ...Object.fromEntries(binaries), ...env },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const seconds = Math.round((Date.now() - started) / 1000);
  const last = child.stdout.trim().split('\n').at(-1) ?? '';
  const problem =
    child.status === 0 ? problemWith(last) : `exited with ${child.signal ?? child.status}`;
  console.log(`${file}: ${problem ?? 'measured'}, ${seconds} s`);
  if (problem !== undefined) return undefined;
  const machine = `${os.cpus()[0].model.trim()}, ${os.availableParallelism()} cores, ${os.platform()}`;
  const version = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim();
  const date = new Date().toISOString().slice(0, 10);
  return { date, node: version, machine, ...JSON.parse(last) };
}

/** Why a line is not a valid result; undefined if it is. */
function problemWith(line) {
  let result;
  try {
    result = JSON.parse(line);
  } catch {
    return `the last line is not JSON: ${line.slice(0, 80)}`;
  }
  if (typeof result.name !== 'string' || typeof result.command !== 'string')
    return 'no name or no command';
  if (!Array.isArray(result.rows) || result.rows.length === 0) return 'no rows';
  const isRow = (row) =>
    typeof row.what === 'string' && typeof row.unit === 'string' && Number.isFinite(row.ours);
  const bad = result.rows.find((row) => !isRow(row));
  return bad === undefined ? undefined : `not a row: ${JSON.stringify(bad)}`;
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
