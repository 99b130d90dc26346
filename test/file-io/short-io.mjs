/**
 * Preloaded with `node --import`: a random third of all reads and writes are short, that is, handle fewer
 * bytes than requested, as system calls may do. SHORT_IO_SEED is the seed.
 */

import fs from 'node:fs';

const SHARE = 1 / 3;
let state = Number(process.env.SHORT_IO_SEED ?? 1) >>> 0;

function random() {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
  return state / 2 ** 32;
}

function shortened(length) {
  return length < 2 || random() > SHARE ? length : 1 + Math.floor(random() * (length - 1));
}

for (const name of ['readSync', 'writeSync']) {
  const real = fs[name];
  fs[name] = (fd, bytes, offset, length, position) =>
    real(fd, bytes, offset, shortened(length), position);
}

for (const name of ['read', 'write']) {
  const real = fs[name];
  const short = (fd, bytes, offset, length, ...rest) =>
    real(fd, bytes, offset, shortened(length), ...rest);
  Object.defineProperties(short, Object.getOwnPropertyDescriptors(real)); // promisify's own symbol
  fs[name] = short;
}

const handle = await fs.promises.open(new URL(import.meta.url), 'r');
const prototype = Object.getPrototypeOf(handle);
await handle.close();
for (const name of ['read', 'write']) {
  const real = prototype[name];
  prototype[name] = function (bytes, offset, length, position) {
    return real.call(this, bytes, offset, shortened(length), position);
  };
}
