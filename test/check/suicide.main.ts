/** Checks a folder, and kills itself when a step has been done: `node suicide.main.ts FOLDER STEP`. */

import { checkDestination, Destination } from '@sluice/core';
import type { Destination } from '@sluice/core';
import { Replica, type Logger, type NamedObjects, type ReplicaClient } from '@sluice/core/backend';
import { backend } from '@sluice/file';

const [folder = '', step = ''] = process.argv.slice(2);
const logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
let steps = 0;

/** Counts a call; the last that there is never ends. */
async function counted<Result>(call: () => Promise<Result>): Promise<Result> {
  const isLast = steps === Number(step);
  steps += 1;
  try {
    return await call();
  } finally {
    if (isLast) process.kill(process.pid, 'SIGKILL');
  }
}

function deadly(client: ReplicaClient): ReplicaClient {
  return {
    async *listFiles(...given) {
      yield* await counted(() => Array.fromAsync(client.listFiles(...given)));
    },
    openFile: (...given) => counted(() => client.openFile(...given)),
    writeFile: (...given) => counted(() => client.writeFile(...given)),
    deleteFiles: (...given) => counted(() => client.deleteFiles(...given)),
  };
}

function deadlyObjects(objects: NamedObjects): NamedObjects {
  return {
    async *list(...given) {
      yield* await counted(() => Array.fromAsync(objects.list(...given)));
    },
    get: (...given) => counted(() => objects.get(...given)),
    put: (...given) => counted(() => objects.put(...given)),
    delete: (...given) => counted(() => objects.delete(...given)),
  };
}

async function connect(access: 'read' | 'write', heard: Logger = logger): Promise<Destination> {
  const { config } = backend.parse({ type: 'file', path: folder });
  const destination = await backend.connect(config, { logger: heard, access });
  const objectsOf = destination.objects?.bind(destination);
  return new Destination({
    ...destination,
    replica: (path) => deadly(new Replica(destination, path)),
    ...(objectsOf !== undefined && { objects: (path: string) => deadlyObjects(objectsOf(path)) }),
    ...(destination.removeEmpty !== undefined && {
      removeEmpty: (path: string) => counted(async () => await destination.removeEmpty?.(path)),
    }),
  });
}

const PART_BYTES = 100_000;
const destination = await connect('write');
const reader = await connect('read');
const report = await checkDestination({
  destination,
  reader,
  connect: (heard) => connect('write', heard),
  path: folder,
  partBytes: PART_BYTES,
});
await destination.close();
await reader.close();
process.stdout.write(JSON.stringify({ steps, left: report.left }));
