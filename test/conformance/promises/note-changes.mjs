/**
 * Preloaded with `node --import`: logs each call that changes something below a folder, and sets the
 * clock of the process a month ahead, so that all temporary files look abandoned.
 */

import fs from 'node:fs';
import promises from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

const FOLDER = process.env['SLUICE_TEST_FOLDER'] ?? '';
const NOTES = process.env['SLUICE_TEST_NOTES'] ?? '';
const MONTH_MS = 30 * 86_400_000;

const CHANGES = ['unlink', 'rename', 'rm', 'rmdir', 'link', 'symlink', 'mkdir', 'writeFile'].concat(
  ['appendFile', 'utimes', 'chmod', 'truncate', 'copyFile'],
);
const note = fs.appendFileSync.bind(fs);

function watch(module, name, isChange) {
  const original = module[name];
  module[name] = function (...given) {
    const isBelow = given.some((each) => String(each).startsWith(FOLDER));
    if (isBelow && isChange(given)) note(NOTES, `${name} ${given[0]}\n`);
    return original.apply(this, given);
  };
}

for (const name of CHANGES) {
  watch(promises, name, () => true);
  watch(fs, name, () => true);
  watch(fs, `${name}Sync`, () => true);
}
const opensToWrite = ([, flags = 'r']) =>
  typeof flags === 'number'
    ? (flags & (fs.constants.O_WRONLY | fs.constants.O_RDWR)) !== 0
    : flags !== 'r';
watch(promises, 'open', opensToWrite);
watch(fs, 'open', opensToWrite);
watch(fs, 'openSync', opensToWrite);
syncBuiltinESMExports();

const now = Date.now;
Date.now = () => now() + MONTH_MS;
