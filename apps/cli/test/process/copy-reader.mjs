// Reads a warm copy again and again, and checks that each state is one of the source. Ends at the first one
// that is not. Prints "checked N" at each line on stdin.
//   node copy-reader.mjs <copy> <sum of all balances>

import Database from 'better-sqlite3';
import readline from 'node:readline';

const [file, total] = process.argv.slice(2);
const kept = new Database(file, { timeout: 20_000 });
kept.pragma('query_only = on');
let checked = 0;
readline
  .createInterface({ input: process.stdin })
  .on('line', () => console.log(`checked ${checked}`));

function check(database) {
  database.exec('BEGIN');
  const sum = database.prepare('SELECT sum(balance) FROM accounts').pluck().get();
  const last = database
    .prepare('SELECT (SELECT n FROM counter) = (SELECT max(id) FROM log)')
    .pluck()
    .get();
  const problems = database.pragma('integrity_check', { simple: true });
  database.exec('COMMIT');
  if (sum === Number(total) && last === 1 && problems === 'ok') return;
  console.log(`torn: ${sum} ${last} ${problems}`);
  process.exit(1);
}

function next() {
  const fresh = new Database(file, { timeout: 20_000 });
  fresh.pragma('query_only = on');
  check(fresh);
  fresh.close();
  check(kept);
  checked += 1;
  setTimeout(next, 2);
}
next();
