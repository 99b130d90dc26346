// A writer process: 10-row transactions, at full speed or at a rate. Sends its results at the end. A
// transaction that fails because the database is locked counts with its time, and the writer continues.
import Database from 'better-sqlite3';

const [file, secondsText, rateText] = process.argv.slice(2);
const db = new Database(file, { timeout: 5000 });
db.pragma('journal_mode=wal');
db.pragma('synchronous=NORMAL');
db.exec('CREATE TABLE IF NOT EXISTS load(id INTEGER PRIMARY KEY, a TEXT, b INTEGER)');
const insert = db.prepare(
  "INSERT INTO load(a, b) VALUES('some text of an ordinary row, ' || ?, ?)",
);
const many = db.transaction((n) => {
  for (let i = 0; i < 10; i++) insert.run(n, i);
});
const end = Date.now() + Number(secondsText) * 1000;
const rate = Number(rateText ?? 0);
const times = [];
let done = 0;
let refused = 0;
function one() {
  const started = performance.now();
  try {
    many(done);
    done += 1;
  } catch (error) {
    if (error.code !== 'SQLITE_BUSY') throw error;
    refused += 1;
  }
  times.push(performance.now() - started);
}
function batch() {
  const until = Math.min(end, Date.now() + 20);
  do {
    one();
    if (rate > 0) break;
  } while (Date.now() < until);
  if (Date.now() < end) setTimeout(batch, rate === 0 ? 0 : 1000 / rate);
  else {
    times.sort((a, b) => a - b);
    process.send({ transactions: done, refused, p99: times[Math.floor(times.length * 0.99)] });
  }
}
batch();
