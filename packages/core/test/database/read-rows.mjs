// node read-rows.mjs FILE: prints the number of rows, and the result of the integrity check.
import Database from 'better-sqlite3';

const database = new Database(process.argv[2], { readonly: true, timeout: 5000 });
const rows = database.prepare('SELECT count(*) FROM t').pluck().get();
console.log(
  `${String(rows)} rows, ${String(database.pragma('integrity_check', { simple: true }))}`,
);
database.close();
