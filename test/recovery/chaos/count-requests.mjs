// Loaded into the replicator with --import: appends a line for each HTTP request that it makes, also for
// those that no server answers. The file survives a SIGKILL.
//   <time in ms> <method> <port>
import { subscribe } from 'node:diagnostics_channel';
import fs from 'node:fs';
import { isMainThread } from 'node:worker_threads';

const file = process.env.SLUICE_CHAOS_REQUESTS;
if (isMainThread && file !== undefined) {
  const log = fs.openSync(file, 'a');
  subscribe('http.client.request.created', ({ request }) => {
    const port = String(request.getHeader('host')).split(':').at(-1);
    fs.writeSync(log, `${Date.now()} ${request.method} ${port}\n`);
  });
}
