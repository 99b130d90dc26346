// An HTTP server that inserts a row for each request, reads a few and computes a little, with or without Sluice. A
// thread beside it has other work of the application, two thirds of the time.
//   node library-server.mjs FOLDER with|without        sends { port, host } when it listens

import { createHash } from 'node:crypto';
import http from 'node:http';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
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

/** Hashed for each request. */
const WORK = Buffer.alloc(700_000);
const thread = new Worker(
  `setInterval(() => {
    for (const end = performance.now() + 2; performance.now() < end; );
  }, 3);`,
  { eval: true },
);

const server = http.createServer((_, response) => {
  const { lastInsertRowid } = insert.run();
  const rows = select.all(Number(lastInsertRowid) - 20);
  response.setHeader('etag', createHash('sha256').update(WORK).digest('hex'));
  response.end(JSON.stringify(rows));
});
server.keepAliveTimeout = 0; // a client may use a connection at any time
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
  await thread.terminate();
  await sluice?.close();
  process.disconnect();
}
