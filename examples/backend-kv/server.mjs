// A key-value store in its own process. Confirmed writes survive a SIGKILL.
//   node server.mjs FILE [PORT]      prints its port when it is ready
//
// A request is a line of JSON, { method, key, size }, and `size` bytes; a response has the same form.
// The store is a log: a put is its line and its bytes, a delete is its line. A last record that was
// cut off by a crash is ignored.

import {
  closeSync,
  fstatSync,
  fsyncSync,
  openSync,
  readSync,
  ftruncateSync,
  writeSync,
} from 'node:fs';
import { createServer } from 'node:net';

const [file = 'store.log', port = '0'] = process.argv.slice(2);
const log = openSync(file, 'a+');
const index = new Map(); // key -> { offset, size, time }
let end = 0;

replay();
createServer((socket) => {
  serve(socket).catch(() => socket.destroy()); // the client disconnected
}).listen(Number(port), '127.0.0.1', function () {
  console.log(this.address().port);
});

function replay() {
  const { size } = fstatSync(log);
  while (end < size) {
    const head = readHead(end);
    if (head === undefined || end + head.length + head.record.size > size) break;
    apply(head.record, end + head.length);
    end += head.length + head.record.size;
  }
  ftruncateSync(log, end);
}

function readHead(offset) {
  const bytes = read(offset, 4_096);
  const length = bytes.indexOf(10) + 1;
  return length === 0 ? undefined : { length, record: JSON.parse(bytes.subarray(0, length)) };
}

function read(offset, size) {
  const bytes = Buffer.alloc(size);
  let done = 0;
  for (let count = -1; done < size && count !== 0; done += count) {
    count = readSync(log, bytes, done, size - done, offset + done);
  }
  return bytes.subarray(0, done);
}

function apply({ method, key, size, time }, offset) {
  if (method === 'put') index.set(key, { offset, size, time });
  else index.delete(key);
}

function append(record, bytes) {
  const head = Buffer.from(`${JSON.stringify(record)}\n`);
  const whole = Buffer.concat([head, bytes]);
  for (let done = 0; done < whole.byteLength;) done += writeSync(log, whole, done);
  fsyncSync(log);
  apply(record, end + head.byteLength);
  end += head.byteLength + bytes.byteLength;
}

async function serve(socket) {
  let pending = Buffer.alloc(0);
  for await (const chunk of socket) {
    pending = Buffer.concat([pending, chunk]);
    for (;;) {
      const length = pending.indexOf(10) + 1;
      if (length === 0) break;
      const request = JSON.parse(pending.subarray(0, length));
      if (pending.byteLength < length + request.size) break;
      answer(socket, request, pending.subarray(length, length + request.size));
      pending = pending.subarray(length + request.size);
    }
  }
}

function answer(socket, { method, key, size }, bytes) {
  const reply = (head, body = Buffer.alloc(0)) =>
    socket.write(
      Buffer.concat([Buffer.from(`${JSON.stringify({ ...head, size: body.byteLength })}\n`), body]),
    );
  const time = Date.now();
  if (method === 'put' || method === 'delete') {
    if (method === 'put' || index.has(key)) append({ method, key, size, time }, bytes);
    return reply({ time });
  }
  if (method === 'list') {
    const found = [...index].filter(([each]) => each.startsWith(key));
    return reply(
      {},
      Buffer.from(JSON.stringify(found.map(([each, at]) => [each, at.size, at.time]))),
    );
  }
  const found = index.get(key);
  return found === undefined ? reply({ missing: true }) : reply({}, read(found.offset, found.size));
}

process.on('exit', () => closeSync(log));
