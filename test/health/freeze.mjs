// Preloaded: what a process does with files stands still, or fails, where a test says so. Each file in
// the folder $FREEZE holds a pattern; while it is there,
//
//   hang-*    an operation on a path that matches it does not come back
//   full-*    such an operation fails as on a full disk
//   thread    the threads that follow databases do not take a turn
//   timers    their timers do not ring; the one that shows that they live does

import fs from 'node:fs';
import path from 'node:path';
import { syncBuiltinESMExports } from 'node:module';
import { isMainThread } from 'node:worker_threads';

const FOLDER = process.env.FREEZE;
const LOOK_MS = 20;
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
    await new Promise((resolve) => realSetTimeout(resolve, LOOK_MS));
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
    while (is('thread')) Atomics.wait(cell, 0, 0, LOOK_MS);
  }, LOOK_MS).unref();
  globalThis.setTimeout = (ring, ms, ...given) => {
    const later = () => {
      if (is('timers')) timer = realSetTimeout(later, LOOK_MS);
      else ring(...given);
    };
    let timer = realSetTimeout(later, ms);
    return timer;
  };
}
