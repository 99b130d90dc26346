/**
 * Run as a process of its own: opens the same place by the module that the author gave, does one
 * thing, and says when it is done, a line of JSON each. It is killed, or ends by itself.
 */

import { createHash } from 'node:crypto';

import { complete, Replica, type LTXFileInfo } from '@sluice/core/backend/testing';
import type { Backend, ReplicaClient } from '@sluice/core/backend';

import type { Order, Seen } from './elsewhere.ts';
import { bodyThat, names, pattern, ref } from './words.ts';
import { parseConfig } from '@sluice/core/backend';

const order = JSON.parse(process.argv[2] ?? '') as Order;
const { backend } = (await import(order.module)) as { backend: Backend<unknown> };
const client = await connect(backend, order);
await carryOut(order, client, new Replica(client, order.path));

async function connect(opened: Backend<unknown>, { input, act }: Order): Promise<ReplicaClient> {
  const access = act === 'look' ? 'read' : 'write';
  return complete(
    await opened.connect(parseConfig(opened, input).config, { access, logger: console }),
  );
}

async function carryOut(
  { act, sizeBytes, seed }: Order,
  place: ReplicaClient,
  replica: Replica,
): Promise<void> {
  const bytes = pattern(sizeBytes, seed);
  switch (act) {
    case 'look':
      tell(await look(replica));
      await place.close();
      return;
    case 'write':
      await replica.writeFile(
        ref(0, 1),
        bodyThat(bytes, 'end', () => undefined),
      );
      tell('done');
      return await hang();
    case 'write-half':
      await replica.writeFile(
        ref(0, 1),
        bodyThat(bytes, 2, async () => {
          tell('done');
          await hang();
        }),
      );
      return;
    case 'close':
      await replica.writeFile(
        ref(0, 1),
        bodyThat(bytes, 'end', () => undefined),
      );
      await place.close();
      tell('done');
  }
}

async function look(replica: Replica): Promise<Seen[]> {
  const seen: Seen[] = [];
  for await (const file of replica.listFiles('all')) seen.push(await describe(replica, file));
  return seen;
}

async function describe(replica: Replica, file: LTXFileInfo): Promise<Seen> {
  const { body } = await replica.openFile(file);
  const hash = createHash('sha256');
  for await (const chunk of body) hash.update(chunk);
  return { name: names([file]).join(), sizeBytes: file.sizeBytes, sha256: hash.digest('hex') };
}

function tell(what: unknown): void {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}

/** Until it is killed. */
async function hang(): Promise<never> {
  setInterval(() => undefined, 60_000);
  return await new Promise<never>(() => undefined);
}
