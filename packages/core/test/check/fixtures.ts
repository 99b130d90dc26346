/** Destinations in memory that differ in one way, and what a check says of them. */

import type { Capabilities, Destination } from '../../src/store/backend.ts';
import { checkDestination, type CheckOptions } from '../../src/check/check.ts';
import type { CheckReport } from '../../src/check/report.ts';
import type { ReplicaClient } from '../../src/store/client.ts';
import { memoryDestination } from '../../src/store/memory.ts';
import { MemoryStore } from '../../src/store/memory-place.ts';

export const PART_BYTES = 100_000;
/** Waiting costs nothing here. */
const clock = {
  now: () => 1_700_000_000_000,
  monotonic: () => 0,
  after(_ms: number, ring: () => void) {
    const timer = setImmediate(ring);
    return () => clearImmediate(timer);
  },
};

export type Change = (client: ReplicaClient) => Partial<ReplicaClient>;

/** A destination in memory that differs in some methods of its replicas. */
export function memoryThat(
  change: Change,
  {
    store = new MemoryStore(),
    capabilities,
  }: { store?: MemoryStore; capabilities?: Capabilities } = {},
): Destination {
  const inner = memoryDestination({ store, capabilities });
  const methods = (client: ReplicaClient): ReplicaClient => ({
    listFiles: (...given) => client.listFiles(...given),
    openFile: (...given) => client.openFile(...given),
    writeFile: (...given) => client.writeFile(...given),
    deleteFiles: (...given) => client.deleteFiles(...given),
  });
  return {
    ...inner,
    replica(path) {
      const client = inner.replica(path);
      return { ...methods(client), ...change(client) };
    },
  };
}

export async function check(
  destination: Destination,
  more: Partial<CheckOptions> = {},
): Promise<CheckReport> {
  const connect = async (): Promise<Destination> => ({
    ...destination,
    close: async () => undefined,
  });
  const given = { destination, connect, path: 'db', partBytes: PART_BYTES, clock };
  return await checkDestination({ ...given, ...more });
}

export function verdicts(report: CheckReport): Record<string, string> {
  return Object.fromEntries(report.features.map(({ feature, verdict }) => [feature, verdict]));
}

export function seenOf(report: CheckReport, feature: string): string {
  return report.features.find((each) => each.feature === feature)?.seen ?? 'nothing';
}

export const ALL_WORKS = {
  reach: 'works',
  write: 'works',
  list: 'works',
  read: 'works',
  ranges: 'works',
  large: 'works',
  abort: 'works',
  'if-absent': 'works',
  'if-absent-large': 'works',
  objects: 'works',
  'if-version': 'works',
  delete: 'works',
};

export async function* empty(): AsyncGenerator<never, void, undefined> {
  // nothing
}

export async function* failing(reason: Error): AsyncGenerator<never, void, undefined> {
  yield await Promise.reject(reason);
}

export async function* flipped(
  body: AsyncIterable<Uint8Array>,
  at: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let index = 0;
  for await (const chunk of body) {
    yield index === at ? chunk.map((byte) => byte ^ 1) : chunk;
    index += 1;
  }
}

export async function* cut(
  body: AsyncIterable<Uint8Array>,
  sizeBytes: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of body) yield chunk.subarray(0, sizeBytes);
}
