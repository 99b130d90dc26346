/** Checks a folder and kills itself after a step: `node killed-check.main.ts FOLDER STEP`. */

import { checkDestination, Destination } from '@sluice/core';

import type { Logger, ReplicaClient } from '@sluice/core/backend';
import { backend } from '@sluice/file';
import { parseConfig } from '@sluice/core/backend';

import { plain } from '../../packages/core/test/support/files-view.ts';

const [folder = '', step = ''] = process.argv.slice(2);
const logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
let steps = 0;

/** Counts a call as a step, and kills the process at the end of the last step. */
async function counted<Result>(call: () => Promise<Result>): Promise<Result> {
  const isLast = steps === Number(step);
  steps += 1;
  try {
    return await call();
  } finally {
    if (isLast) process.kill(process.pid, 'SIGKILL');
  }
}

function killAfterStep(client: ReplicaClient): ReplicaClient {
  return {
    ...plain(client),
    async *list(...given) {
      yield* await counted(() => Array.fromAsync(client.list(...given)));
    },
    get: (...given) => counted(() => client.get(...given)),
    put: (...given) => counted(() => client.put(...given)),
    delete: (...given) => counted(() => client.delete(...given)),
  };
}

async function connect(
  access: 'read' | 'write',
  checkLogger: Logger = logger,
): Promise<Destination> {
  const { config } = parseConfig(backend, { type: 'file', path: folder });
  return new Destination(
    killAfterStep(await backend.connect(config, { logger: checkLogger, access })),
  );
}

const PART_BYTES = 100_000;
const destination = await connect('write');
const reader = await connect('read');
const report = await checkDestination({
  destination,
  reader,
  connect: (checkLogger) => connect('write', checkLogger),
  path: folder,
  partBytes: PART_BYTES,
});
await destination.close();
await reader.close();
process.stdout.write(JSON.stringify({ steps, left: report.left }));
