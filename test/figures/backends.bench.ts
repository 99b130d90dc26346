/**
 * Uploads and downloads a file of 256 MiB and lists 10,000 small files, with each backend and with the
 * vendor's SDK alone, on the same server. Each task runs in a separate process, which reports the median
 * time and the peak memory. For SFTP and folders both do the same fsync and rename.
 */

import { fork } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { answer, inFolder, print, round, type Row } from './bench.ts';
import { SUBJECTS, type Subject } from './subjects.ts';
import { SMALL_FILES, type Moved, type MoveOrder } from './way.ts';

const MIB = Number(process.env['SLUICE_BENCH_MIB'] ?? 256);
const MIB_BYTES = 1_048_576;
/** Allowed above the SDK alone if more than a tenth of its time. */
const SLACK_MS = 200;
/** Memory allowed above that of the parts in flight. */
const SLACK_MIB = 40;

type Both = Readonly<Record<MoveOrder['way'], Moved>>;

const rows: Row[] = [];
await inFolder(async (folder) => {
  const file = path.join(folder, 'source');
  writeRandom(file);
  for (const start of SUBJECTS) {
    const subject = await start(folder);
    rows.push(...(await rowsOf(subject, file)));
    await subject.stop();
  }
});
print(
  'backends',
  rows,
  'medians of five; the servers run on the same machine; processes have the small young generation of the command line tool',
);

async function rowsOf({ name, input, partsMiB }: Subject, file: string): Promise<Row[]> {
  const order = { file, input, from: 'file' } as const;
  const both = async (task: MoveOrder['task']): Promise<Both> => ({
    ours: await move({ ...order, task, way: 'ours' }),
    plain: await move({ ...order, task, way: 'plain' }),
  });
  const up = await both('up');
  const lean = await move({ ...order, task: 'up', way: 'ours', from: 'memory' });
  const down = await both('down');
  await move({ ...order, task: 'fill', way: 'ours' });
  const list = await both('list');
  return [
    timeRow(`${name}: ${MIB} MiB up`, up),
    timeRow(`${name}: ${MIB} MiB down`, down),
    memoryRow(`${name}: memory, up`, { ...up, ours: lean }, partsMiB),
    memoryRow(`${name}: memory, down`, down, 0),
    timeRow(`${name}: list ${SMALL_FILES} files`, list),
  ];
}

async function move(order: MoveOrder): Promise<Moved> {
  const child = fork(path.join(import.meta.dirname, 'move.main.ts'), [JSON.stringify(order)], {
    env: { ...process.env, AWS_CA_BUNDLE: '' },
  });
  const moved = (await answer(child))[0] as Moved;
  const took = `${round(moved.ms, 0)} ms, ${round(moved.memoryMiB, 0)} MiB`;
  process.stderr.write(`${String(order.input['type'])} ${order.task} (${order.way}): ${took}\n`);
  return moved;
}

function timeRow(what: string, { ours, plain }: Both): Row {
  return {
    what,
    unit: 'ms',
    ours: round(ours.ms, 0),
    beside: { 'the SDK alone': round(plain.ms, 0) },
    bar: round(Math.max(plain.ms * 1.1, plain.ms + SLACK_MS), 0),
    lowerIsBetter: true,
  };
}

/** Memory above that of an idle process that has loaded the SDK. */
function memoryRow(what: string, { ours, plain }: Both, partsMiB: number): Row {
  return {
    what,
    unit: 'MiB',
    ours: round(ours.memoryMiB, 0),
    beside: { 'the SDK alone': round(plain.memoryMiB, 0) },
    bar: partsMiB + SLACK_MIB,
    lowerIsBetter: true,
  };
}

function writeRandom(file: string): void {
  const descriptor = fs.openSync(file, 'w');
  const chunk = Buffer.alloc(MIB_BYTES);
  for (let n = 0; n < MIB; n++) {
    crypto.getRandomValues(chunk.subarray(0, 65_536));
    chunk.copyWithin(65_536, 0, MIB_BYTES - 65_536);
    fs.writeSync(descriptor, chunk);
  }
  fs.closeSync(descriptor);
}
