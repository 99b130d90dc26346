/** The S3 test server as a separate process. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { rawKeys, rawPut, type S3Place } from './s3-access.ts';

const MAIN = fileURLToPath(new URL('./s3/main.ts', import.meta.url));

test.each(['SIGTERM', 'end of input'])(
  'the S3 server process prints its endpoint, serves, and exits on %s',
  async (end) => {
    const args = ['--bucket', 'mine', '--region', 'eu-west-3', '--with-parent'];
    const keys = ['--access-key-id', 'id', '--secret-access-key', 'secret'];
    const child = spawn(process.execPath, [MAIN, ...args, ...keys], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const exited = once(child, 'exit');
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const place = JSON.parse(line.toString()) as S3Place & { pid: number };
    expect(place).toMatchObject({
      bucket: 'mine',
      region: 'eu-west-3',
      credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
      pid: child.pid,
    });
    await rawPut(place, 'a', Buffer.from('hello'));
    expect(await rawKeys(place, '')).toEqual(['a']);
    if (end === 'SIGTERM') child.kill('SIGTERM');
    else child.stdin.end();
    expect(await exited).toEqual([0, null]);
  },
);
