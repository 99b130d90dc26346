/**
 * Lists destinations and examines their files, until they can be compared: files of one name with different
 * bytes are read whole, and if there are several lineages, every header is read.
 */

import { isError, messageOf } from '../error.ts';
import type { Kernel } from '../kernel/kernel.ts';
import type { LTXFileInfo } from '../replica/replica.ts';
import type { OpenReplica } from '../replicate/destination/sender.ts';
import type { EmptyRoot } from '../store/client.ts';
import { Semaphore } from '../store/semaphore.ts';
import { examine, examineHeader, type Depth } from './examine.ts';
import { doubtfulFiles, lineagesOf, type ExaminedFile } from './histories.ts';

export interface InspectedDestination<Given = unknown> {
  readonly given: Given;
  readonly name: string;
  readonly replica: OpenReplica;
  readonly files: readonly ExaminedFile[];
}

export interface UnansweredDestination {
  readonly name: string;
  readonly code: string | undefined;
  readonly why: string;
}

export interface InspectOptions {
  readonly depthOf: (file: LTXFileInfo) => Depth;
  readonly kernel: Kernel;
  readonly onExamined: (file: LTXFileInfo) => void;
  readonly signal?: AbortSignal | undefined;
}

interface Opened<Given> {
  readonly given: Given;
  readonly name: string;
  readonly emptyRoot: EmptyRoot | undefined;
  readonly open: (signal: AbortSignal | undefined) => Promise<OpenReplica>;
}

/** Reads at once, for all destinations together. A read is short, and mostly waits for an answer. */
const READS_MAX = 8;

/** Destinations that do not answer are left out, and named. Rejects only with the reason of the signal. */
export async function inspectAll<Given>(
  destinations: readonly Opened<Given>[],
  options: InspectOptions,
): Promise<{
  readonly inspected: InspectedDestination<Given>[];
  readonly unanswered: UnansweredDestination[];
}> {
  const slots = new Semaphore(READS_MAX);
  const unanswered: UnansweredDestination[] = [];
  const answered = await Promise.all(
    destinations.map(async (destination) => {
      try {
        return await inspect(destination, slots, options);
      } catch (error) {
        options.signal?.throwIfAborted();
        const code = isError(error) ? error.code : undefined;
        unanswered.push({ name: destination.name, code, why: messageOf(error) });
        return [];
      }
    }),
  );
  const inspected = answered.flat();
  return { inspected: await compareAll(inspected, slots, options), unanswered };
}

async function inspect<Given>(
  { given, name, emptyRoot, open }: Opened<Given>,
  slots: Semaphore,
  options: InspectOptions,
): Promise<InspectedDestination<Given>[]> {
  const { depthOf, kernel, onExamined, signal } = options;
  const replica = await open(signal);
  const listed = await list(replica, emptyRoot, signal);
  const files = await Promise.all(
    listed.map(async (file): Promise<ExaminedFile> => {
      const found = await slots.run(signal, async () =>
        examine(replica.client, file, { depth: depthOf(file), kernel, signal }),
      );
      onExamined(file);
      return { ...file, found };
    }),
  );
  return [{ given, name, replica, files: withoutGone(files) }];
}

/** A folder that no replicator has created yet is empty. One that had files may be a disk that is not mounted. */
async function list(
  { client }: OpenReplica,
  emptyRoot: EmptyRoot | undefined,
  signal: AbortSignal | undefined,
): Promise<LTXFileInfo[]> {
  try {
    return await Array.fromAsync(client.listFiles('all', { emptyRoot, signal }));
  } catch (error) {
    const isNew = isError(error, 'REPLICA_DESTINATION_NOT_FOUND') && error.isNew === true;
    if (isNew && emptyRoot !== 'refuse') return [];
    throw error;
  }
}

async function compareAll<Given>(
  inspected: readonly InspectedDestination<Given>[],
  slots: Semaphore,
  { kernel, signal }: InspectOptions,
): Promise<InspectedDestination<Given>[]> {
  const doubtful = new Set(doubtfulFiles(inspected));
  const compared = await mapFiles(inspected, async ({ replica }, file) => {
    if (!doubtful.has(file)) return file;
    const depth = 'whole';
    const found = await slots.run(signal, async () =>
      examine(replica.client, file, { depth, kernel, signal }),
    );
    return { ...file, found };
  });
  if (lineagesOf(compared.flatMap(({ files }) => files)).size < 2) return compared;
  return await mapFiles(compared, async ({ replica: { client } }, file) => {
    const found = await slots.run(signal, async () =>
      examineHeader(client, file, file.found, signal),
    );
    return { ...file, found };
  });
}

async function mapFiles<Given>(
  destinations: readonly InspectedDestination<Given>[],
  change: (destination: InspectedDestination<Given>, file: ExaminedFile) => Promise<ExaminedFile>,
): Promise<InspectedDestination<Given>[]> {
  return await Promise.all(
    destinations.map(async (destination) => {
      const files = destination.files.map(async (file) => change(destination, file));
      return { ...destination, files: withoutGone(await Promise.all(files)) };
    }),
  );
}

function withoutGone(files: readonly ExaminedFile[]): ExaminedFile[] {
  return files.filter(({ found }) => found.kind !== 'gone');
}
