/** In-memory destinations with one difference, and checks of them. */

import { changeFiles, plain, type Files } from '../support/files-view.ts';
import type { Logger } from '../../src/store/backend.ts';
import { Destination } from '../../src/replica/destination.ts';
import type { Capabilities, ReplicaClient } from '../../src/store/client.ts';
import { memoryClient, MemoryStore } from '../../src/store/memory.ts';
import { checkDestination, type CheckOptions } from '../../src/check/check.ts';
import type { CheckReport } from '../../src/check/report.ts';

export const PART_BYTES = 100_000;
/** Timers fire immediately. */
const clock = {
  now: () => 1_700_000_000_000,
  monotonic: () => 0,
  after(_ms: number, callback: () => void) {
    const timer = setImmediate(callback);
    return () => clearImmediate(timer);
  },
};

export type Change = (files: Files) => Partial<Files>;

/** An in-memory destination with changed behavior for files. */
export function memoryThat(
  change: Change,
  {
    store = new MemoryStore(),
    capabilities,
  }: { store?: MemoryStore; capabilities?: Capabilities } = {},
): ReplicaClient {
  return changeFiles(memoryClient({ store, capabilities }), change);
}

interface CheckSettings extends Partial<Omit<CheckOptions, 'reader' | 'connect'>> {
  readonly reader?: ReplicaClient | undefined;
  readonly connect?: ((logger: Logger) => Promise<ReplicaClient>) | undefined;
}

export async function check(
  client: ReplicaClient,
  { reader, ...settings }: CheckSettings = {},
): Promise<CheckReport> {
  const openAgain = async (): Promise<ReplicaClient> => ({
    ...plain(client),
    close: async () => undefined,
  });
  const { connect } = { connect: openAgain, ...settings };
  const open = (of: ReplicaClient): Destination => new Destination(of, { attemptsMax: 1, clock });
  return await checkDestination({
    path: 'db',
    partBytes: PART_BYTES,
    clock,
    ...settings,
    destination: open(client),
    reader: reader && open(reader),
    connect: connect && (async (logger) => open(await connect(logger))),
  });
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
