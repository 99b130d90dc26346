// Preloaded: makes file operations of a process hang or fail. Each file in the folder $FREEZE contains a
// pattern. While the file exists,
//
//   hang-*    operations on matching paths hang
//   full-*    operations on matching paths fail as on a full disk
//   thread    the database threads block
//   timers    timers of the database threads do not fire, except for the heartbeat

import fs from 'node:fs';
import path from 'node:path';
import { syncBuiltinESMExports } from 'node:module';
import { isMainThread } from 'node:worker_threads';

const FOLDER = process.env.FREEZE;
const POLL_MS = 20;
const realSetTimeout = globalThis.setTimeout;

function matches(kind, file) {
  if (typeof file !== 'string') return false;
  return fs
    .readdirSync(FOLDER)
    .filter((name) => name.startsWith(kind))
    .some((name) => new RegExp(fs.readFileSync(path.join(FOLDER, name), 'utf8')).test(file));
}

function is(name) {
  return fs.existsSync(path.join(FOLDER, name));
}

async function whileItHangs(paths) {
  while (paths.some((file) => matches('hang-', file))) {
    await new Promise((resolve) => realSetTimeout(resolve, POLL_MS));
  }
}

for (const name of ['open', 'rename', 'link', 'readdir', 'rm', 'unlink', 'mkdir']) {
  const real = fs.promises[name];
  fs.promises[name] = async (...given) => {
    await whileItHangs(given.slice(0, 2));
    if (given.slice(0, 2).some((file) => matches('full-', file))) {
      throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
    }
    return await real.apply(fs.promises, given);
  };
}
syncBuiltinESMExports();

if (!isMainThread) {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  setInterval(() => {
    while (is('thread')) Atomics.wait(cell, 0, 0, POLL_MS);
  }, POLL_MS).unref();
  globalThis.setTimeout = (ring, ms, ...given) => {
    const later = () => {
      if (is('timers')) timer = realSetTimeout(later, POLL_MS);
      else ring(...given);
    };
    let timer = realSetTimeout(later, ms);
    return timer;
  };
}
