// An application that does not use Sluice: it takes orders, one transaction each, and checkpoints with
// its own settings. Messages pause it, resume it, or make it delete rows by mistake.
import Database from 'better-sqlite3';

const db = new Database(process.argv[2], { timeout: 5000 });
db.pragma('journal_mode=wal');
db.pragma('wal_autocheckpoint=200');
db.exec(
  'CREATE TABLE IF NOT EXISTS orders(id INTEGER PRIMARY KEY, customer TEXT, amount INTEGER, note TEXT)',
);
const insert = db.prepare(
  "INSERT INTO orders(customer, amount, note) VALUES('customer ' || (abs(random()) % 500), abs(random()) % 10000, hex(randomblob(100)))",
);

let paused = false;
let orders = 0;
function order() {
  if (paused) return;
  insert.run();
  orders += 1;
  if (orders % 150 === 0) db.pragma('wal_checkpoint(RESTART)');
  setTimeout(order, 5);
}
process.on('message', (message) => {
  if (message === 'pause') paused = true;
  if (message === 'mistake') db.exec('DELETE FROM orders WHERE id % 3 <> 0');
  if (message === 'resume') {
    paused = false;
    order();
  }
  process.send(message);
});
order();
