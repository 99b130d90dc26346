// The pages that the kernel is measured with: of the golden buckets, of a generated database, random.

import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';

const GOLDEN = fileURLToPath(new URL('../../../test/fixtures/golden', import.meta.url));
const LTX_HEADER_BYTES = 100;
const ORDERS = 50_000;

/** Every page that a golden bucket has, in its newest version, as one buffer. */
export function goldenPages(kernel, bucket) {
  const root = path.join(GOLDEN, bucket, 'bucket', 'ltx');
  const files = fs
    .readdirSync(root, { recursive: true })
    .filter((name) => name.endsWith('.ltx'))
    .map((name) => ({ file: path.join(root, name), maxTXID: name.slice(-20, -4) }))
    .sort((a, b) => (a.maxTXID < b.maxTXID ? -1 : 1));
  const newest = new Map();
  for (const { file } of files) readPages(kernel, file, newest);
  const pgnos = [...newest.keys()].sort((a, b) => a - b);
  return Buffer.concat(pgnos.map((pgno) => newest.get(pgno)));
}

function readPages(kernel, file, into) {
  const bytes = fs.readFileSync(file);
  const pageSize = bytes.readUInt32BE(8);
  for (let at = LTX_HEADER_BYTES, stopped = 'input'; stopped !== 'end';) {
    const decoded = kernel.decodePages(bytes.subarray(at), pageSize, 0n);
    for (const [i, pgno] of decoded.pgnos.entries()) {
      into.set(pgno, Buffer.from(decoded.pages.subarray(i * pageSize, (i + 1) * pageSize)));
    }
    at += decoded.consumedBytes;
    stopped = decoded.stopped;
  }
}

/** A shop's orders with two indexes, from a fixed seed: pages as SQLite fills them, 4 KiB each. */
export function generatedPages() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-kernel-bench-'));
  try {
    const file = path.join(folder, 'orders.db');
    const database = new Database(file);
    database.exec(`CREATE TABLE orders (id INTEGER PRIMARY KEY, name, email, status, total, note, at);
      CREATE INDEX by_email ON orders (email); CREATE INDEX by_status ON orders (status, at)`);
    const insert = database.prepare('INSERT INTO orders VALUES (NULL, ?, ?, ?, ?, ?, ?)');
    database.transaction(() => {
      for (const order of orders()) insert.run(order);
    })();
    database.close();
    return fs.readFileSync(file);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

function* orders() {
  const words =
    'order customer invoice paid pending shipped address street delivery item price total discount note comment premium active request response error'.split(
      ' ',
    );
  let state = 1;
  const draw = (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
  const word = () => words[draw(words.length)];
  for (let i = 0; i < ORDERS; i++) {
    const name = `${word()} ${word()}`;
    const note = Array.from({ length: draw(20) }, word).join(' ');
    const at = new Date(1_700_000_000_000 + i * 61_234 + draw(60_000)).toISOString();
    const email = `${name.replace(' ', '.')}${draw(10_000)}@example.com`;
    yield [name, email, words[draw(6)], draw(1_000_000) / 100, note, at];
  }
}

export function randomPages(sizeBytes) {
  return randomBytes(sizeBytes);
}
