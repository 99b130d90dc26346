// node insert-row.mjs FILE: an application that inserts one row, as a separate process.
import Database from 'better-sqlite3';

const database = new Database(process.argv[2]);
database.exec('INSERT INTO t VALUES (1)');
database.close();
