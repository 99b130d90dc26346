/** The questions of `sluice init` on a terminal. */

import { createInterface } from 'node:readline/promises';
import { messageOf } from '@sluice/core';

export interface Answers {
  readonly database: string;
  readonly urls: readonly string[];
  /** Words of the last question, such as "systemd". */
  readonly kinds: readonly string[];
}

export interface Terminal {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
}

export interface Rules {
  readonly kinds: readonly string[];
  /** Throws if a configuration would not accept the URL. */
  readonly checkURL: (database: string, url: string) => Promise<unknown>;
}

/** Returns undefined if the input ends before the last answer: nothing is to be written. */
export async function ask(
  { input, output }: Terminal,
  { kinds, checkURL }: Rules,
): Promise<Answers | undefined> {
  using lines = createInterface({ input, output });
  // Keeps lines that come before their question: `question()` would lose them.
  const answers = lines[Symbol.asyncIterator]();
  const next = async (question: string): Promise<string | undefined> => {
    lines.setPrompt(question);
    lines.prompt();
    const { done, value } = await answers.next();
    return done === true ? undefined : value.trim();
  };
  let database = '';
  while (database === '') {
    const answer = await next('Path of the database: ');
    if (answer === undefined) return undefined;
    database = answer;
  }
  const urls: string[] = [];
  for (;;) {
    const answer = await next(
      urls.length === 0
        ? 'Where to back it up, such as s3://bucket/app.db or file:///mnt/backup/app.db: '
        : 'A further, independent destination (Enter: none): ',
    );
    if (answer === undefined) return undefined;
    if (answer === '' && urls.length > 0) break;
    if (answer === '') continue;
    try {
      await checkURL(database, answer);
      urls.push(answer);
    } catch (error) {
      output.write(`${messageOf(error)}\n`);
    }
  }
  for (;;) {
    const answer = await next(`Also write files for ${kinds.join(', ')} (Enter: none): `);
    if (answer === undefined) return undefined;
    const words = answer.split(/[\s,]+/).filter((word) => word !== '');
    const unknown = words.find((word) => !kinds.includes(word));
    if (unknown === undefined) return { database, urls, kinds: words };
    output.write(`"${unknown}" is not one of them\n`);
  }
}
