// An HTTP server that inserts a row for each request and reads a few, with or without Sluice.
//   node library-server.mjs FOLDER with|without        sends { port, host } when it listens

import http from 'node:http';
import path from 'node:path';
import { openSluice } from '@sluice/core';
import { file } from '@sluice/file';
import Database from 'better-sqlite3';

const [, , folder, mode] = process.argv;
const app = path.join(folder, 'app.db');
const db = new Database(app);
db.pragma('journal_mode = wal');
db.pragma('synchronous = normal');
db.exec('CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, item TEXT)');
const sluice =
  mode === 'with'
    ? await openSluice({
        databases: [{ path: app, destinations: [file(path.join(folder, 'backup'))] }],
      })
    : undefined;
const insert = db.prepare('INSERT INTO orders (item) VALUES (hex(randomblob(50)))');
const select = db.prepare('SELECT * FROM orders WHERE id > ? ORDER BY id LIMIT 20');

const server = http.createServer((_, response) => {
  const { lastInsertRowid } = insert.run();
  response.end(JSON.stringify(select.all(Number(lastInsertRowid) - 20)));
});
server.listen(0, '127.0.0.1', () =>
  process.send({ port: server.address().port, host: sluice?.pid }),
);
await sluice?.database(app).durable();
process.once('message', () => {
  server.closeAllConnections();
  server.close();
  void close();
});

async function close() {
  await sluice?.close();
  process.disconnect();
}
