// node insert-row.mjs FILE: what an application does with its database, as a process of its own.
import Database from 'better-sqlite3';

const database = new Database(process.argv[2]);
database.exec('INSERT INTO t VALUES (1)');
database.close();
