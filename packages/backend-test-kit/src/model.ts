/** Model-based test: random calls must give the same results as the in-memory reference. */

import assert from 'node:assert/strict';

import { isError } from '@sluice/core/backend';
import { memoryClient, type LTXFileRef, Replica } from '@sluice/core/backend/testing';
import {
  assert as assertProperty,
  asyncModelRun,
  asyncProperty,
  commands,
  constant,
  constantFrom,
  integer,
  tuple,
  uniqueArray,
  type Arbitrary,
  type AsyncCommand,
} from 'fast-check';

import { bodyOf, list, names, pattern, read, ref } from './helpers.ts';

export interface ModelOptions {
  /** Opens a new, empty replica. */
  readonly open: () => Promise<ModelReplica>;
  /** Whether to test writes with if-absent. */
  readonly conditions: boolean;
  /** Whether to test range reads. */
  readonly ranges: boolean;
  readonly seed: number;
  /** Default: RUNS. */
  readonly runs?: number | undefined;
}

export interface ModelReplica {
  readonly replica: Replica;
  /** Opens the same replica with a new client. */
  readonly reconnect: () => Promise<Replica>;
}

/** Enough to find bugs that need two or three specific calls in a row. */
export const RUNS = 25;
const CALLS_MAX = 24;

interface Real {
  replica: Replica;
  readonly reconnect: () => Promise<Replica>;
}

interface Model {
  readonly replica: Replica;
}

type Command = AsyncCommand<Model, Real>;

/** Rejects with the shortest sequence of calls whose results differ, and its seed. */
export async function compareWithModel(options: ModelOptions): Promise<void> {
  const { open, runs = RUNS, seed } = options;
  const sequences = commands(commandsFor(options), { maxCommands: CALLS_MAX, size: 'max' });
  const property = asyncProperty(sequences, async (calls) => {
    const { replica, reconnect } = await open();
    const model = { replica: new Replica(memoryClient(), 'model') };
    await asyncModelRun(() => ({ model, real: { replica, reconnect } }), calls);
  });
  await assertProperty(property, { seed, numRuns: runs });
}

function commandsFor({ conditions, ranges }: ModelOptions): Arbitrary<Command>[] {
  const level = constantFrom(0, 9);
  // Few names, so that calls often use the same file.
  const file = tuple(level, integer({ min: 1, max: 3 }), integer({ min: 0, max: 1 })).map(
    ([at, minTXID, more]) => ref(at, minTXID, minTXID + more),
  );
  const bytes = tuple(constantFrom(0, 1, 16, 300, 4_097, 70_000), integer({ min: 1, max: 99 })).map(
    ([sizeBytes, seed]) => pattern(sizeBytes, seed),
  );
  const from = integer({ min: 1, max: 4 });
  const offset = integer({ min: 0, max: 320 });
  return [
    tuple(file, bytes).map(([name, content]) => write(name, content)),
    file.map((name) => open(name)),
    uniqueArray(file, { maxLength: 4 }).map((files) => remove(files)),
    tuple(constantFrom(0, 9, 'all' as const), from).map(([at, txid]) => listFrom(at, txid)),
    constant(command('connect again', connectAgain)),
    ...(conditions
      ? [tuple(file, bytes).map(([name, content]) => writeIfAbsent(name, content))]
      : []),
    ...(ranges ? [tuple(file, offset, offset).map((given) => openRange(...given))] : []),
  ];
}

function write(file: LTXFileRef, bytes: Uint8Array): Command {
  return compareResults(`write ${nameOf(file)}, ${bytes.byteLength} bytes`, async (replica) => {
    return (await replica.writeFile(file, bodyOf(bytes))).sizeBytes;
  });
}

function writeIfAbsent(file: LTXFileRef, bytes: Uint8Array): Command {
  const what = `write ${nameOf(file)} if absent, ${bytes.byteLength} bytes`;
  const attempt = compareResults(what, async (replica) => {
    return (await replica.writeFile(file, bodyOf(bytes), { condition: 'if-absent' })).sizeBytes;
  });
  return command(what, async (model, real) => {
    // A conflict with equal bytes is a success at the wrapped layer only: 'if-absent/*' cases test it.
    if ((await textOf(model.replica, file)) !== toText(bytes)) await attempt.run(model, real);
  });
}

function open(file: LTXFileRef): Command {
  return compareResults(`open ${nameOf(file)}`, (replica) => textOf(replica, file));
}

function openRange(file: LTXFileRef, start: number, length: number): Command {
  const what = `open ${nameOf(file)} from ${start}, ${length + 1} bytes`;
  const range = { start, end: start + length + 1 };
  const attempt = compareResults(what, async (replica) => toText(await read(replica, file, range)));
  return command(what, async (model, real) => {
    // Servers differ for a range that starts at the end of an object: 'open/range*' cases test it.
    const sizeBytes = await resultOf(async () => (await read(model.replica, file)).byteLength);
    if (sizeBytes !== start) await attempt.run(model, real);
  });
}

function remove(files: readonly LTXFileRef[]): Command {
  const what = `delete ${names(files).join(' ')}`;
  return compareResults(what, (replica) => replica.deleteFiles(files));
}

function listFrom(level: number | 'all', from: number): Command {
  return compareResults(`list ${level} from ${from}`, async (replica) => {
    const files = await list(replica, level, { from: ref(0, from).minTXID });
    const lines = files.map((file) => `${nameOf(file)} ${file.sizeBytes}`);
    // Levels may be listed in any order.
    return level === 'all' ? lines.toSorted() : lines;
  });
}

async function connectAgain(_model: Model, real: Real): Promise<void> {
  real.replica = await real.reconnect();
}

function compareResults(what: string, call: (replica: Replica) => Promise<unknown>): Command {
  return command(what, async (model, real) => {
    const expected = await resultOf(() => call(model.replica));
    assert.deepEqual(await resultOf(() => call(real.replica)), expected, what);
  });
}

function command(what: string, run: Command['run']): Command {
  return { check: () => true, run, toString: () => what };
}

/** The result, or the code of the error. */
async function resultOf(call: () => Promise<unknown>): Promise<unknown> {
  try {
    return await call();
  } catch (error) {
    if (isError(error)) return error.code;
    throw error;
  }
}

async function textOf(replica: Replica, file: LTXFileRef): Promise<unknown> {
  return await resultOf(async () => toText(await read(replica, file)));
}

/** Base64, so that failures can print the bytes. */
function toText(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

function nameOf(file: LTXFileRef): string {
  return names([file]).join();
}
