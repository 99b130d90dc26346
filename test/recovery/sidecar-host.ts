/** A replicator in a separate process that is controlled by messages from `sidecar.ts`. */

import { replicate, type DatabaseStatus, type ReplicaTarget, Destination } from '@sluice/core';
import { backend as file } from '@sluice/file';
import { killAfterFiles } from './kill-after.ts';
import { withFault, type Fault } from './faults.ts';
import type { SidecarArguments } from './sidecar.ts';
import { parseConfig } from '@sluice/core/backend';

export type SidecarOrder =
  | { readonly kind: 'sync'; readonly call: number }
  | { readonly kind: 'status'; readonly call: number }
  | { readonly kind: 'stop'; readonly call: number }
  | { readonly kind: 'fault'; readonly call: number; readonly name: string; readonly fault: Fault };

export type SidecarReply =
  | { readonly kind: 'log'; readonly message: string }
  | {
      readonly kind: 'reply';
      readonly call: number;
      readonly txid?: string | undefined;
      readonly status?: DatabaseStatus | undefined;
    };

const { database, options, destinations, killAfter } = JSON.parse(
  process.argv[2] ?? '{}',
) as SidecarArguments;
const post = (reply: SidecarReply): void => void process.send?.(reply);
const log = (message: string): void => post({ kind: 'log', message });
const logger = { debug: () => undefined, info: log, warn: log, error: log };
const faults = new Map(destinations.map(({ name, fault = 'none' }) => [name, fault]));

const targets = destinations.map(({ name, folder }): ReplicaTarget => ({
  name,
  type: 'file',
  target: `file://${folder}`,
  open: async () => {
    const { config, path } = parseConfig(file, { type: 'file', path: folder });
    const connected = await file.connect(config, { logger, access: 'write' });
    const faulty = withFault(connected, () => faults.get(name) ?? 'none');
    // One attempt: these tests are about the engine's retries, not about the wrapper's.
    const client = killAfter?.name === name ? killAfterFiles(faulty, killAfter.files) : faulty;
    const wrapped = new Destination(client, { attemptsMax: 1 });
    return { client: wrapped.replica(path), capabilities: wrapped.capabilities };
  },
}));
const replicator = await replicate({
  databases: [{ options: { path: database, syncIntervalMs: 50, ...options }, targets }],
  logger,
  onCrash: (error) => {
    log(error.stack ?? error.message);
    process.exit(70);
  },
});

process.on('message', (order: SidecarOrder) => {
  handleOrder(order).catch((error: unknown) => {
    log(String(error));
    process.exit(70);
  });
});
process.on('disconnect', () => process.exit(0));

async function handleOrder(order: SidecarOrder): Promise<void> {
  const { call } = order;
  switch (order.kind) {
    case 'sync': {
      const { txid } = await replicator.execute({ kind: 'sync', path: database });
      post({ kind: 'reply', call, txid: txid?.toString() });
      return;
    }
    case 'status':
      post({ kind: 'reply', call, status: replicator.status()[0] });
      return;
    case 'fault':
      faults.set(order.name, order.fault);
      post({ kind: 'reply', call });
      return;
    case 'stop':
      await replicator.drain({ shutdownSyncTimeoutMs: 2_000, shutdownSyncIntervalMs: 100 });
      await replicator.close();
      post({ kind: 'reply', call });
      process.disconnect();
      return;
  }
}
