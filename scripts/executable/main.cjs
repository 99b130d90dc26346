// The main script of the single-file executable (Node's "single executable applications"). It unpacks the installed
// packages once, into a cache folder, and runs them from there: native modules and threads need files.
//
//  asset "id"     hash of the payload; names its folder
//  asset "files"  JSON: [[path, size], …] in the order of the payload
//  asset "data"   the contents of all files, one after the other, compressed by gzip

'use strict';

const fs = require('node:fs');
const { createRequire } = require('node:module');
const os = require('node:os');
const path = require('node:path');
const { getAsset, getRawAsset } = require('node:sea');
const { gunzipSync } = require('node:zlib');

const folder = path.join(cacheFolder(), getAsset('id', 'utf8'));
if (!fs.existsSync(folder)) unpack();
const entry = path.join(folder, 'node_modules', 'sluice', 'dist', 'main.js');
// A child process gets a script of ours as its first word, after flags for Node. Otherwise all words are the user's.
const words = process.argv.slice(2);
const at = words.findIndex((word) => !word.startsWith('-'));
const isScript = at >= 0 && words[at].startsWith(`${folder}${path.sep}`);
process.argv = [process.execPath, ...(isScript ? words.slice(at) : [entry, ...words])];
// import() works only in a file, not in the embedded script.
createRequire(entry)(path.join(folder, 'run.cjs'));

/** A folder of this user: others could put code there. */
function cacheFolder() {
  const { SLUICE_CACHE, CACHE_DIRECTORY, XDG_CACHE_HOME, HOME } = process.env;
  const own = process.getuid === undefined ? os.userInfo().username : process.getuid();
  const parent =
    SLUICE_CACHE ||
    CACHE_DIRECTORY || // of systemd
    (XDG_CACHE_HOME && path.join(XDG_CACHE_HOME, 'sluice')) ||
    (HOME && path.join(HOME, '.cache', 'sluice')) ||
    path.join(os.tmpdir(), `sluice-${own}`);
  fs.mkdirSync(parent, { recursive: true, mode: 0o700 });
  const { uid, mode } = fs.statSync(parent);
  const isOurs = process.getuid === undefined || (uid === own && (mode & 0o022) === 0);
  if (isOurs) return parent;
  process.stderr.write(
    `sluice: ${parent} can be written by others: set SLUICE_CACHE to a folder of your own\n`,
  );
  return process.exit(1);
}

/** Into a temporary folder that is renamed, so that a half unpacked one is never used. */
function unpack() {
  const temporary = `${folder}.${process.pid}`;
  const data = gunzipSync(Buffer.from(getRawAsset('data')));
  let offset = 0;
  for (const [name, size] of JSON.parse(getAsset('files', 'utf8'))) {
    const file = path.join(temporary, name);
    fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
    fs.writeFileSync(file, data.subarray(offset, offset + size));
    offset += size;
  }
  try {
    fs.renameSync(temporary, folder);
  } catch (error) {
    fs.rmSync(temporary, { recursive: true, force: true });
    if (!fs.existsSync(folder)) throw error; // otherwise another process was quicker
  }
}
