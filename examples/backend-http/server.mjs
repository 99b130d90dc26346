// Stores files in a folder: GET, PUT and DELETE of /key, and GET /?prefix= for a list.
//   node server.mjs FOLDER PORT [TOKEN]      prints its port when it is ready

import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { pipeline } from 'node:stream/promises';

const [folder = '.', port = '0', token] = process.argv.slice(2);
const root = resolve(folder, 'objects');
const making = resolve(folder, 'making');
let count = 0;
// The number of the last PUT request of each path: an older request that ends later is ignored.
const newest = new Map();

await mkdir(root, { recursive: true });
await rm(making, { recursive: true, force: true });
await mkdir(making);

const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    if (!response.headersSent) response.writeHead(error.code === 'ENOSPC' ? 507 : 500);
    response.end();
  });
});
server.listen(Number(port), '127.0.0.1', () => console.log(server.address().port));

async function answer(request, response) {
  const { pathname, searchParams } = new URL(request.url, 'http://localhost');
  if (token !== undefined && request.headers.authorization !== `Bearer ${token}`) {
    return response.writeHead(401).end();
  }
  if (pathname === '/') return response.end(JSON.stringify(await list(searchParams.get('prefix'))));
  const path = join(root, decodeURIComponent(pathname));
  if (!path.startsWith(root + sep)) return response.writeHead(400).end();
  if (request.method === 'PUT') await put(request, path);
  if (request.method === 'DELETE') await rm(path, { force: true });
  if (request.method !== 'GET') return response.end();
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile() !== true) return response.writeHead(404).end();
  response.writeHead(200, { 'content-length': found.size });
  return await pipeline(createReadStream(path), response);
}

// Writes a temporary file, fsyncs and renames it: an interrupted request changes nothing.
async function put(request, path) {
  const number = (count += 1);
  const temporary = join(making, `${number}`);
  try {
    await pipeline(request, createWriteStream(temporary, { flush: true }));
    await mkdir(dirname(path), { recursive: true });
    const { destroyed, readableEnded } = request.socket; // the client is gone
    if (destroyed || readableEnded || number < (newest.get(path) ?? 0)) return;
    newest.set(path, number);
    await rename(temporary, path);
    for (let each = dirname(path); each !== dirname(root); each = dirname(each)) await sync(each);
  } finally {
    await rm(temporary, { force: true });
  }
}

async function sync(path) {
  await using handle = await open(path);
  await handle.sync();
}

async function list(prefix) {
  const folder = join(root, (prefix ?? '').slice(0, (prefix ?? '').lastIndexOf('/') + 1));
  if (!`${folder}${sep}`.startsWith(root + sep)) return [];
  const options = { recursive: true, withFileTypes: true };
  const entries = await readdir(folder, options).catch(() => []);
  const found = entries.map(async (entry) => {
    const path = join(entry.parentPath, entry.name);
    const key = relative(root, path).split(sep).join('/');
    if (!entry.isFile() || !key.startsWith(prefix ?? '')) return [];
    const stats = await stat(path).catch(() => undefined); // deleted meanwhile
    return stats === undefined ? [] : [[key, stats.size, stats.mtime]];
  });
  return (await Promise.all(found)).flat();
}
