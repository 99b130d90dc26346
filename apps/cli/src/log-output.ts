/**
 * Writes the lines of a log. Replication goes on if the reader (tee, a journal, a terminal) goes
 * away or the disk is full: lines then go to the next output. Each output is tried again for every
 * line, because a disk may have space later. Lost lines are counted, and reported when an output
 * works.
 */

import { writeFullySync } from '@sluice/core';

/** `fd`: set for the streams of the process. */
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

  /** Each line goes to the first stream that accepts it. */
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
      else if (this.#lost > 0) this.#reportLost();
      if (error !== undefined && broke === 'now') this.#notices.onBroken(error);
    });
  }

  #reportLost(): void {
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
    stream.on('error', () => undefined); // the callback of each write gets its error
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

  /** After one failure a Node stream accepts no more writes, but its descriptor may. */
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
