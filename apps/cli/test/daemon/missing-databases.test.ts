/** A restore that is cancelled writes nothing any more. */

import fs from 'node:fs';
import path from 'node:path';
import type { Logger } from '@sluice/core/backend';
import { expect, onTestFinished, test, vi } from 'vitest';
import { CancelledRestore, MissingDatabases } from '../../src/daemon/restore-missing.ts';
import { Destinations } from '../../src/destinations.ts';
import { readText } from '../support/configuration.ts';
import { addRows } from '../support/database.ts';
import { runProcess } from '../support/process.ts';
import { temporaryFolder } from '../support/temporary.ts';

vi.setConfig({ testTimeout: 120_000 });

test('a cancelled restore ends, and the next one is another one', async () => {
  const folder = temporaryFolder();
  const [file, disk] = [path.join(folder, 'app.db'), path.join(folder, 'disk')];
  addRows(file, 3);
  const target = `file://${disk}/backup`;
  expect((await runProcess(['replicate', '-once', file, target])).code).toBe(0);
  for (const name of fs.readdirSync(folder)) {
    if (name.includes('app.db')) fs.rmSync(path.join(folder, name), { recursive: true });
  }
  fs.renameSync(disk, `${disk}-elsewhere`);
  const config = await readText(`dbs: [{ path: ${file}, replica: { path: ${disk}/backup } }]`);
  const warned = Promise.withResolvers<string>();
  const ignore = (): void => undefined;
  const logger: Logger = { debug: ignore, info: ignore, warn: warned.resolve, error: ignore };
  const connections = new Destinations(logger, 'read');
  onTestFinished(() => connections[Symbol.asyncDispose]());
  const { signal } = new AbortController();
  const missing = new MissingDatabases('all', {
    ...{ connections, logger, signal, onUnanswered: 'wait' },
  });
  const first = missing.restore(config.databases).get(file);
  const ended = expect(first).rejects.toBeInstanceOf(CancelledRestore);
  expect(await warned.promise).toContain('waits for file');
  await missing.cancel(file);
  await ended;
  fs.renameSync(`${disk}-elsewhere`, disk);
  await missing.restore(config.databases).get(file);
  expect(fs.existsSync(file)).toBe(true);
  await missing.cancel(file); // nothing is pending
});
