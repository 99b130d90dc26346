import fs from 'node:fs';
import path from 'node:path';
import { Writable } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { LogOutput } from '../src/log-output.ts';
import { Capture } from './support/shell.ts';
import { temporaryFolder } from './support/temporary.ts';

/** Accepts lines until it breaks. After that, lines are written to its descriptor, if it has one. */
class Breaking extends Writable {
  fd: number | undefined;
  text = '';
  isBroken = false;

  constructor(fd?: number) {
    super();
    this.fd = fd;
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    if (this.isBroken) {
      done(new Error('write EPIPE'));
      return;
    }
    this.text += chunk.toString();
    done();
  }
}

function outputTo(...streams: readonly (Breaking | Capture)[]) {
  const printed: string[] = [];
  const output = new LogOutput(streams, {
    onBroken: (error) => printed.push(error.message),
    onLost: (lines) => printed.push(`${lines} lost`),
  });
  /** Resolves when every callback of the streams has been called. */
  const write = async (line: string): Promise<void> => {
    output.write(line);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { write, printed };
}

test('after a failed write, lines go to the next output', async () => {
  const first = new Breaking();
  const second = new Capture();
  const { write, printed } = outputTo(first, second);
  await write('a\n');
  first.isBroken = true;
  await write('b\n');
  await write('c\n');
  expect([first.text, second.text]).toEqual(['a\n', 'b\nc\n']);
  expect(printed).toEqual(['write EPIPE']);
});

test('if all outputs fail, lines are counted as lost, and a disk with space again is used', async () => {
  const file = path.join(temporaryFolder(), 'log');
  const full = fs.openSync('/dev/full', 'a');
  const free = fs.openSync(file, 'a');
  onTestFinished(() => [full, free].forEach((fd) => fs.closeSync(fd)));
  const first = new Breaking(full);
  const { write, printed } = outputTo(first);
  first.isBroken = true;
  await write('lost\n');
  await write('lost too\n');
  expect(printed).toEqual(['write EPIPE']);
  first.fd = free;
  await write('kept\n');
  expect(fs.readFileSync(file, 'utf8')).toBe('kept\n');
  expect(printed).toEqual(['write EPIPE', '2 lost']);
});
