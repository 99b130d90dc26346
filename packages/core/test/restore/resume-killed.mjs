// Restores with kept downloads, and dies by SIGKILL in the middle of the largest file.
//   node resume-killed.mjs <bucket.json> <output>

import fs from 'node:fs';
import { Replica } from '../../src/replica/replica.ts';
import { restore } from '../../src/restore/restore.ts';
import { memoryClient, MemoryStore } from '../../src/store/memory.ts';

const BYTES_MAX = 8_000_000;
const [stored = '', output = ''] = process.argv.slice(2);
const store = new MemoryStore();
for (const [key, bytes, modifiedAt] of JSON.parse(fs.readFileSync(stored, 'utf8'))) {
  store.put(key, new Uint8Array(Buffer.from(bytes, 'base64')), {
    modifiedAt: new Date(modifiedAt),
  });
}
const replica = new Replica(memoryClient({ store }), '');
let read = 0;
const client = {
  listFiles: replica.listFiles.bind(replica),
  async openFile(file, options) {
    const opened = await replica.openFile(file, options);
    return { ...opened, body: count(opened.body) };
  },
};
async function* count(body) {
  for await (const chunk of body) {
    read += chunk.length;
    if (read > BYTES_MAX) process.kill(process.pid, 'SIGKILL');
    yield chunk;
  }
}
const sources = [{ name: 'bucket', client }];
await restore({ sources, output, target: { kind: 'latest' }, downloads: 'kept', parallelism: 1 });
