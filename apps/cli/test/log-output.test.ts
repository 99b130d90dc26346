import fs from 'node:fs';
import path from 'node:path';
import { Writable } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { LogOutput } from '../src/log-output.ts';
import { Capture } from './support/shell.ts';
import { temporaryFolder } from './support/temporary.ts';

/** Takes lines until it breaks; after that its descriptor is written to, if it has one. */
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
  const said: string[] = [];
  const output = new LogOutput(streams, {
    onBroken: (error) => said.push(error.message),
    onLost: (lines) => said.push(`${lines} lost`),
  });
  /** Resolves when every callback of the streams has been called. */
  const write = async (line: string): Promise<void> => {
    output.write(line);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { write, said };
}

test('a line that one output does not take goes to the next, and so do those after it', async () => {
  const first = new Breaking();
  const second = new Capture();
  const { write, said } = outputTo(first, second);
  await write('a\n');
  first.isBroken = true;
  await write('b\n');
  await write('c\n');
  expect([first.text, second.text]).toEqual(['a\n', 'b\nc\n']);
  expect(said).toEqual(['write EPIPE']);
});

test('where no output takes a line nothing is thrown, and a disk that has room again is used', async () => {
  const file = path.join(temporaryFolder(), 'log');
  const full = fs.openSync('/dev/full', 'a');
  const free = fs.openSync(file, 'a');
  onTestFinished(() => [full, free].forEach((fd) => fs.closeSync(fd)));
  const first = new Breaking(full);
  const { write, said } = outputTo(first);
  first.isBroken = true;
  await write('lost\n');
  await write('lost too\n');
  expect(said).toEqual(['write EPIPE']);
  first.fd = free;
  await write('kept\n');
  expect(fs.readFileSync(file, 'utf8')).toBe('kept\n');
  expect(said).toEqual(['write EPIPE', '2 lost']);
});
