/**
 * Where the lines of a log go. A reader that goes away (tee, a journal, a terminal) or a disk that
 * is full ends no replication: lines go to the next output, and each output is tried again, because
 * a disk may have room later. Lines that no output took are counted, and said once one does.
 */

import { writeFullySync } from '@sluice/core';

/** `fd`: as the streams of the process have it. */
export type LogStream = NodeJS.WritableStream & { readonly fd?: number | undefined };

export interface LogNotices {
  /** An output failed for the first time. */
  readonly onBroken: (error: Error) => void;
  readonly onLost: (lines: number) => void;
}

export class LogOutput {
  readonly #outputs: readonly Output[];
  readonly #notices: LogNotices;
  #lost = 0;

  /** The first stream that can be written to gets each line. */
  constructor(streams: readonly LogStream[], notices: LogNotices) {
    this.#outputs = streams.map((stream) => new Output(stream));
    this.#notices = notices;
  }

  write(line: string): void {
    this.#writeTo(0, line);
  }

  #writeTo(index: number, line: string): void {
    const output = this.#outputs[index];
    if (output === undefined) {
      this.#lost += 1;
      return;
    }
    output.write(line, (error, broke) => {
      if (error !== undefined) this.#writeTo(index + 1, line);
      else if (this.#lost > 0) this.#tellLost();
      if (error !== undefined && broke === 'now') this.#notices.onBroken(error);
    });
  }

  #tellLost(): void {
    const lines = this.#lost;
    this.#lost = 0;
    this.#notices.onLost(lines);
  }
}

type Written = (error: Error | undefined, broke?: 'now' | 'before') => void;

class Output {
  readonly #stream: LogStream;
  #isBroken = false;

  constructor(stream: LogStream) {
    this.#stream = stream;
    stream.on('error', () => undefined); // each write is told of its own failure
  }

  write(line: string, done: Written): void {
    if (this.#isBroken) {
      done(this.#writeDirectly(line), 'before');
      return;
    }
    this.#stream.write(line, (error?: Error | null) => {
      if (error === undefined || error === null) {
        done(undefined);
        return;
      }
      const broke = this.#isBroken ? 'before' : 'now';
      this.#isBroken = true;
      done(error, broke);
    });
  }

  /** A stream of Node that has failed once takes nothing more; its descriptor may. */
  #writeDirectly(line: string): Error | undefined {
    const { fd } = this.#stream;
    if (fd === undefined) return new Error('the stream is closed');
    try {
      writeFullySync(fd, Buffer.from(line));
      return undefined;
    } catch (error) {
      return error as Error;
    }
  }
}
