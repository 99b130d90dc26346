/** A package that fails outside of its calls must not end the process or delay other destinations. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { openApplication } from '../support/database.ts';
import { FAULTS, installMisbehaving, NAME } from '../support/misbehaving.ts';
import { CLIProcess } from '../support/process.ts';
import { rowsAt } from '../support/scene.ts';
import { writeFile } from '../support/temporary.ts';

// Each fsync may take seconds on a busy disk.
vi.setConfig({ testTimeout: 300_000 });

interface Status {
  readonly txid: string;
  readonly destinations: readonly {
    readonly name: string;
    readonly state: string;
    readonly txid: string | undefined;
    readonly lastError: { readonly message: string } | undefined;
  }[];
}

interface Setting {
  readonly folder: string;
  readonly config: string;
  /** The file that names the fault. */
  readonly fault: string;
  readonly backup: string;
  readonly application: ReturnType<typeof openApplication>;
}

/** A database with one row, a destination that can misbehave, and one that works. */
function settingOf(): Setting {
  const folder = installMisbehaving();
  const database = path.join(folder, 'app.db');
  const backup = path.join(folder, 'backup');
  const fault = path.join(folder, 'fault');
  const config = writeFile(
    folder,
    'sluice.yml',
    `dbs:
  - path: ${database}
    replicas:
      - { name: bad, type: "${NAME}", path: app, fault: ${fault} }
      - { name: good, path: ${backup} }
`,
  );
  const application = openApplication(database);
  onTestFinished(() => application.close());
  application.addRow();
  return { folder, config, fault, backup, application };
}

test('an error that escapes from a backend fails its destination alone, which heals', async () => {
  const { folder, config, fault, backup, application } = settingOf();
  const sluice = new CLIProcess(['replicate', '-config', config]);
  const state = path.join(folder, '.app.db-sluice', 'status.json');
  const read = (): Status => JSON.parse(fs.readFileSync(state, 'utf8')) as Status;
  const current = (name: string): string => {
    const { txid, destinations } = read();
    const found = destinations.find((destination) => destination.name === name);
    return found?.txid === txid ? `${found.state} at ${txid}` : String(found?.state);
  };
  await expect.poll(() => fs.existsSync(state)).toBe(true);
  await expect.poll(() => current('bad')).toMatch(/^streaming at/);
  let rows = 1;
  for (const way of FAULTS) {
    const before = read().txid;
    fs.writeFileSync(fault, way);
    application.addRow();
    rows += 1;
    await sluice.says(new RegExp(`bad: .*${way}`));
    await expect
      .poll(() => read().destinations.find(({ name }) => name === 'bad'), { message: way })
      .toMatchObject({ state: 'failing', lastError: { message: expect.stringContaining(way) } });
    await expect.poll(() => current('good')).toMatch(/^streaming at/);
    expect(read().txid > before).toBe(true);
    fs.rmSync(fault);
    await expect.poll(() => current('bad'), { message: way }).toMatch(/^streaming at/);
  }
  sluice.kill('SIGTERM');
  const { code, stderr } = await sluice.ended();
  expect([code, stderr]).toEqual([0, '']);
  expect(await rowsAt(backup)).toBe(rows);
});

test('an error that belongs to no destination ends the process with its stack', async () => {
  const { folder, config } = settingOf();
  const now = path.join(folder, 'now');
  const entry = path.join(folder, 'node_modules', NAME, 'index.js');
  // Outside of all calls, so this may as well be an error of Sluice.
  fs.appendFileSync(
    entry,
    `setInterval(() => { if (fs.existsSync(${JSON.stringify(now)})) throw new Error('of nobody'); }, 10);`,
  );
  const sluice = new CLIProcess(['replicate', '-config', config]);
  await sluice.says(/good: full snapshot sent/);
  fs.writeFileSync(now, '');
  const { code, stderr } = await sluice.ended();
  expect(code).toBe(1);
  expect(stderr).toMatch(/this is a bug in Sluice.*\nError: of nobody\n {4}at /);
});
