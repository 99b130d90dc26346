import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { addRows } from '../support/database.ts';
import { CLIProcess } from '../support/process.ts';
import { Receiver } from '../support/receiver.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

test('a replicator sends heartbeats while all is well, and one without an answer does not keep it from ending', async () => {
  const folder = temporaryFolder();
  const database = path.join(folder, 'app.db');
  addRows(database, 1);
  const receiver = await Receiver.start();
  const config = writeFile(
    folder,
    'sluice.yml',
    `heartbeat-url: '${receiver.origin}/ping'
heartbeat-interval: 1s
dbs: [{ path: ${database}, replica: { path: ${path.join(folder, 'backup')} } }]
`,
  );
  const sluice = new CLIProcess(['replicate', '-config', config]);
  onTestFinished(() => sluice.kill('SIGKILL'));
  const first = await receiver.until(1);
  expect(first[0]).toMatchObject({ method: 'GET', path: '/ping', body: '' });
  receiver.answer = undefined;
  await receiver.until(2);
  sluice.kill('SIGTERM');
  const { code, stdout, stderr } = await sluice.ended();
  expect(code).toBe(0);
  expect(stdout + stderr).not.toContain('heartbeat');
});
