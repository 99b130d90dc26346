/** A history in an S3 server of its own, and the command that restores it. */

import path from 'node:path';
import { onTestFinished } from 'vitest';
import { startProgram, type Program } from '../check/program.ts';
import { start, type RunningS3, type StartOptions } from '../servers/s3/index.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { S3History, type Shape } from './bucket.ts';

const CLI = new URL('../../apps/cli/dist/main.js', import.meta.url).pathname;

export interface Place {
  readonly server: RunningS3;
  readonly history: S3History;
  /** Path of the restored database. */
  readonly output: string;
  /** Starts `sluice restore` with more words. */
  readonly restore: (...words: string[]) => Program;
}

export async function newPlace(shape: Shape, options: StartOptions = {}): Promise<Place> {
  const server = await start(options);
  onTestFinished(() => server.stop());
  const history = new S3History(server, shape);
  const { accessKeyId, secretAccessKey } = server.credentials;
  process.env['AWS_ACCESS_KEY_ID'] = accessKeyId;
  process.env['AWS_SECRET_ACCESS_KEY'] = secretAccessKey;
  const url = `s3://${server.bucket}/${history.root}?endpoint=${server.endpoint}&region=${server.region}`;
  const output = path.join(temporaryFolder('restore'), 'app.db');
  const restore: Place['restore'] = (...words) =>
    startProgram(CLI, 'restore', '-o', output, ...words, url);
  return { server, history, output, restore };
}
