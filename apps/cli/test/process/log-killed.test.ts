/** What becomes of the log if it cannot be written, or the process is killed (docs/decisions/0048-own-log.md). */

import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect, test, vi } from 'vitest';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

vi.setConfig({ testTimeout: 120_000 });

const DIST = fileURLToPath(new URL('../../dist/', import.meta.url));
const LINES = 1_000;
/** Far more than it takes: a process that stands still is killed. */
const MS_MAX = 60_000;

interface Ended {
  readonly signal: NodeJS.Signals | null;
  readonly status: number | null;
  readonly stderr: string;
}

/** Logs LINES lines to stdout, then runs `last`. `to` is where the shell sends stdout. */
function logTo(to: string, last: string): Ended {
  const url = (name: string): string => JSON.stringify(pathToFileURL(path.join(DIST, name)).href);
  const script = `
    import { createLogger } from ${url('log.js')};
    import { Secrets } from ${url('secrets.js')};
    const { stdout: stream, stderr: fallback } = process;
    process.stdout.on('error', () => undefined); // as in main.ts
    const secrets = new Secrets();
    const logger = createLogger({ level: 'info', type: 'text', stream, fallback, secrets });
    setTimeout(() => process.exit(1), ${MS_MAX}).unref();
    for (let i = 1; i <= ${LINES}; i++) logger.info('line', { i });
    ${last}`;
  const file = writeFile(temporaryFolder(), 'log.mjs', script);
  const line = `exec "$0" "$1" ${to}`;
  const { signal, status, stderr } = spawnSync('sh', ['-c', line, process.execPath, file], {
    timeout: MS_MAX,
    killSignal: 'SIGTERM',
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  return { signal, status, stderr };
}

test('a process that is killed has written every line before', () => {
  const log = path.join(temporaryFolder(), 'log');
  const { signal } = logTo(`> "${log}"`, "process.kill(process.pid, 'SIGKILL');");
  expect(signal).toBe('SIGKILL');
  const lines = fs.readFileSync(log, 'utf8').trim().split('\n');
  expect(lines).toHaveLength(LINES);
  expect(lines.at(-1)).toMatch(new RegExp(`msg=line i=${LINES}$`));
});

test.runIf(process.platform === 'linux')(
  'on a full disk the process goes on, and its lines go to stderr',
  () => {
    const { status, stderr } = logTo('> /dev/full', 'setTimeout(() => process.exit(7), 100);');
    expect(status).toBe(7);
    expect(stderr.match(/msg=line/g)).toHaveLength(LINES);
    expect(stderr).toContain('a log output cannot be written to: ENOSPC');
  },
);

test('if the reader ends, the process goes on, and later lines go to stderr', () => {
  // It says `late` again and again, and ends when that has arrived at stderr.
  const last = `
    const { write } = process.stderr;
    process.stderr.write = (text, ...rest) => {
      if (text.includes('msg=late')) setImmediate(() => process.exit());
      return write.call(process.stderr, text, ...rest);
    };
    setInterval(() => logger.warn('late'), 20);`;
  const log = path.join(temporaryFolder(), 'stderr');
  logTo(`2> "${log}" | head -n 1 > /dev/null`, last);
  const stderr = fs.readFileSync(log, 'utf8');
  expect(stderr).toContain('a log output cannot be written to: ');
  expect(stderr).toMatch(/level=WARN msg=late/);
});
