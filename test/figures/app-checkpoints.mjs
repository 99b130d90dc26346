// The checkpointing process of an application. Another process writes all the time.
import Database from 'better-sqlite3';

const [file, secondsText] = process.argv.slice(2);
const db = new Database(file, { timeout: 5000 });
db.pragma('wal_autocheckpoint=0');
const end = Date.now() + Number(secondsText) * 1000;
const modes = ['FULL', 'RESTART', 'TRUNCATE'];
const calls = [];
let n = 0;
function step() {
  const mode = modes[n++ % modes.length];
  const t = performance.now();
  const [{ busy }] = db.pragma(`wal_checkpoint(${mode})`);
  calls.push({ mode, ms: performance.now() - t, busy });
  if (Date.now() < end) setTimeout(step, 400);
  else process.send({ calls });
}
setTimeout(step, 400);
