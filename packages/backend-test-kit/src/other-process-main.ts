/**
 * Entry point of the child process: opens the destination with the module from the task, runs one
 * action, and writes its result to stdout as a line of JSON. It exits, or hangs until it is killed.
 */

import { createHash } from 'node:crypto';

import { complete, Replica, type LTXFileInfo } from '@sluice/core/backend/testing';
import type { Backend, ReplicaClient } from '@sluice/core/backend';

import type { ListedFile, Task } from './other-process.ts';
import { bodyWithAction, names, pattern, ref } from './helpers.ts';
import { parseConfig } from '@sluice/core/backend';

const task = JSON.parse(process.argv[2] ?? '') as Task;
const { backend } = (await import(task.module)) as { backend: Backend<unknown> };
const client = await connect(backend, task);
await runTask(task, client, new Replica(client, task.path));

async function connect(opened: Backend<unknown>, { input, action }: Task): Promise<ReplicaClient> {
  const access = action === 'list' ? 'read' : 'write';
  return complete(
    await opened.connect(parseConfig(opened, input).config, { access, logger: console }),
  );
}

async function runTask(
  { action, sizeBytes, seed }: Task,
  destination: ReplicaClient,
  replica: Replica,
): Promise<void> {
  const bytes = pattern(sizeBytes, seed);
  switch (action) {
    case 'list':
      send(await listAll(replica));
      await destination.close();
      return;
    case 'write':
      await replica.writeFile(
        ref(0, 1),
        bodyWithAction(bytes, 'end', () => undefined),
      );
      send('done');
      return await hang();
    case 'write-half':
      await replica.writeFile(
        ref(0, 1),
        bodyWithAction(bytes, 2, async () => {
          send('done');
          await hang();
        }),
      );
      return;
    case 'close':
      await replica.writeFile(
        ref(0, 1),
        bodyWithAction(bytes, 'end', () => undefined),
      );
      await destination.close();
      send('done');
  }
}

async function listAll(replica: Replica): Promise<ListedFile[]> {
  const files: ListedFile[] = [];
  for await (const file of replica.listFiles('all')) files.push(await describe(replica, file));
  return files;
}

async function describe(replica: Replica, file: LTXFileInfo): Promise<ListedFile> {
  const { body } = await replica.openFile(file);
  const hash = createHash('sha256');
  for await (const chunk of body) hash.update(chunk);
  return { name: names([file]).join(), sizeBytes: file.sizeBytes, sha256: hash.digest('hex') };
}

function send(message: unknown): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

/** Waits until the process is killed. */
async function hang(): Promise<never> {
  setInterval(() => undefined, 60_000);
  return await new Promise<never>(() => undefined);
}
