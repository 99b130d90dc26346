/** The page of a replicator over a real backup in two folders. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { DatabaseStatus, DrillReport } from '@sluice/core';
import { recordDrill } from '@sluice/core';
import type { DestinationHistory, PlanView } from '@sluice/dashboard';
import { restoreCommand } from '../../apps/dashboard/page/command.ts';
import type { PageConfig } from '../../apps/cli/src/config/fields/page.ts';
import type { Config } from '../../apps/cli/src/config/model.ts';
import { readConfig } from '../../apps/cli/src/config/read.ts';
import { createPage, type Page } from '../../apps/cli/src/page/create-page.ts';
import { Secrets } from '../../apps/cli/src/secrets.ts';
import { addRows, countRows } from '../../apps/cli/test/support/database.ts';
import { runProcess } from '../../apps/cli/test/support/process.ts';
import { sluice } from '../../apps/cli/test/support/shell.ts';
import { temporaryFolder, writeFile } from '../../apps/cli/test/support/temporary.ts';

// Each fsync may take seconds on a busy disk.
vi.setConfig({ testTimeout: 300_000 });

const TOKEN = '5d41402abc4b2a76b9719d911017c592';
const AT = 'http://127.0.0.1:9090';
const OPEN: PageConfig = { enabled: undefined, token: undefined, hosts: [] };

interface Scene {
  readonly folder: string;
  readonly file: string;
  readonly database: string;
  readonly page: Page;
  readonly config: Config;
  readonly statuses: DatabaseStatus[];
  readonly lines: string[];
  readonly get: (name: string, query?: Record<string, string>) => Promise<Response>;
  readonly post: (name: string, form: Record<string, string>) => Promise<Response>;
}

/** A database with 5 rows, then 7, backed up to two folders by a replicator that has ended. */
async function scene(): Promise<Scene> {
  const folder = temporaryFolder();
  const database = path.join(folder, "it's.db");
  const places = ['near', 'offsite'].map(
    (name) => `{ name: ${name}, path: ${path.join(folder, name)} }`,
  );
  const text = `addr: ":0"\npage: { token: ${TOKEN} }\ndbs: [{ path: "${database}", replicas: [${places.join(', ')}] }]\n`;
  const file = writeFile(folder, 'sluice.yml', text);
  addRows(database, 5);
  await replicateOnce(file);
  addRows(database, 2);
  await replicateOnce(file);
  const secrets = new Secrets();
  const config = await readConfig(text, {
    source: file,
    folder,
    environment: {},
    variables: 'leave',
    secrets,
  });
  const statuses = [readStatus(database)];
  const lines: string[] = [];
  const log = (message: string): void => void lines.push(message);
  const page = createPage({
    config,
    databases: () => config.databases,
    status: () => statuses,
    configFile: { file, variables: 'leave' },
    secrets,
    logger: { debug: log, info: log, warn: log, error: log },
  });
  if (page === undefined) throw new Error('the page is off');
  onTestFinished(async () => await page.close());
  const send = async (request: Request): Promise<Response> => {
    const response = await page.handle(request);
    if (response === undefined) throw new Error(`${request.url} is not a path of the page`);
    return response;
  };
  const headers = { authorization: `Bearer ${TOKEN}` };
  return {
    folder,
    file,
    database,
    page,
    config,
    statuses,
    lines,
    get: async (name, query = { db: database }) =>
      await send(new Request(`${AT}/api/${name}?${new URLSearchParams(query).toString()}`)),
    post: async (name, form) =>
      await send(
        new Request(`${AT}/api/${name}`, {
          method: 'POST',
          body: new URLSearchParams({ db: database, ...form }),
          headers,
        }),
      ),
  };
}

async function replicateOnce(file: string): Promise<void> {
  const { code, stderr } = await runProcess(['replicate', '-once', '-config', file]);
  expect(code, stderr).toBe(0);
}

function readStatus(database: string): DatabaseStatus {
  const folder = path.join(path.dirname(database), `.${path.basename(database)}-sluice`);
  return JSON.parse(fs.readFileSync(path.join(folder, 'status.json'), 'utf8')) as DatabaseStatus;
}

async function jsonOf<T>(response: Response): Promise<T> {
  expect(response.status).toBe(200);
  return (await response.json()) as T;
}

test('shows history and plans of each destination, and its command restores that moment', async () => {
  const { get, database, file, folder } = await scene();
  const histories = await jsonOf<readonly DestinationHistory[]>(await get('history'));
  expect(histories.map(({ replica }) => replica)).toEqual(['near', 'offsite']);
  const [near] = histories;
  expect(near?.moments_total).toBe(2);
  expect(near?.gaps).toEqual([]);
  expect(near?.snapshots_total).toBeGreaterThanOrEqual(1);
  const newest = await jsonOf<PlanView>(await get('plan'));
  expect(newest).toMatchObject({ txid: near?.newest?.txid, timestamp: near?.newest?.timestamp });
  expect(newest.bytes).toBe(newest.files.reduce((sum, { size }) => sum + size, 0));
  expect(newest.fileCount).toBe(newest.files.length);
  const at = near?.first?.timestamp ?? '';
  const first = await jsonOf<PlanView>(await get('plan', { db: database, at }));
  expect(first).toMatchObject({ txid: near?.first?.txid, timestamp: at });
  expect(fs.existsSync(`${database}.restored`)).toBe(false);

  const { settings } = await jsonOf<{ settings: { configFile: string } }>(await get('database'));
  const { configFile } = settings;
  expect(configFile).toBe(file);
  const command = restoreCommand({ path: database, at, configFile });
  const words = command.split(' ').map((word) =>
    word
      .replaceAll(String.raw`'\''`, '\0')
      .replaceAll("'", '')
      .replaceAll('\0', "'"),
  );
  expect(words.shift()).toBe('sluice');
  const { code, stderr } = await sluice(words);
  expect(code, stderr).toBe(0);
  expect(countRows(`${database}.restored`)).toBe(5);
  expect(fs.readdirSync(folder)).toContain("it's.db.restored");
});

test('a moment before everything is an error that says so', async () => {
  const { get, database } = await scene();
  const response = await get('plan', { db: database, at: '2001-01-01T00:00:00Z' });
  expect(response.status).toBe(502);
  expect(await response.text()).toContain('RESTORE_OUT_OF_RANGE');
  expect((await get('plan', { db: '/none.db' })).status).toBe(400);
});

test('a destination that cannot be read is named, and the other is used', async () => {
  const { get, folder } = await scene();
  fs.rmSync(path.join(folder, 'near'), { recursive: true });
  const [near, offsite] = await jsonOf<readonly DestinationHistory[]>(await get('history'));
  expect(near?.error?.message ?? near?.moments_total).not.toBe(2);
  expect(offsite?.moments_total).toBe(2);
  const plan = await jsonOf<PlanView>(await get('plan'));
  expect(plan.from.map(({ name }) => name)).toEqual(['offsite']);
  expect(plan.notes.join(' ')).toContain('near');
});

test('restores to a path, and never over a file or a database', async () => {
  const { post, database, folder, lines } = await scene();
  const output = path.join(folder, 'copy.db');
  const text = await (await post('restore', { output })).text();
  const last = JSON.parse(text.trim().split('\n').at(-1) ?? '') as { restored: object };
  expect(last.restored).toMatchObject({ output });
  expect(countRows(output)).toBe(7);
  expect(lines.join('\n')).toContain(`restored ${output} for the page`);
  expect(await (await post('restore', { output })).text()).toContain('RESTORE_TARGET_EXISTS');
  for (const taken of [database, `${database}-wal`, path.join(folder, 'x', '..', "it's.db")]) {
    expect(await (await post('restore', { output: taken })).text()).toContain('is replicated');
  }
  expect(countRows(database)).toBe(7);
});

test('downloads the database, and leaves nothing behind', async () => {
  const { post, folder } = await scene();
  const scratch = path.join(folder, 'tmp');
  fs.mkdirSync(scratch);
  vi.stubEnv('TMPDIR', scratch);
  onTestFinished(() => void vi.unstubAllEnvs());
  const response = await post('download', {});
  expect(response.headers.get('content-disposition')).toBe('attachment; filename="it_s.db"');
  const file = path.join(folder, 'downloaded.db');
  fs.writeFileSync(file, Buffer.from(await response.arrayBuffer()));
  expect(countRows(file)).toBe(7);
  await expect.poll(() => fs.readdirSync(scratch)).toEqual([]);
  // A browser that goes away.
  const aborted = await post('download', {});
  await aborted.body?.cancel();
  await expect.poll(() => fs.readdirSync(scratch)).toEqual([]);
});

test('a failed drill is part of the rows, and a forecast has requests', async () => {
  const { get, database, config } = await scene();
  const [first] = config.databases;
  const target = first?.destinations[0]?.target ?? '';
  const report = {
    at: new Date().toISOString(),
    result: 'failed',
    kind: 'full',
    problems: [{ message: 'page 4' }],
    assertions: [],
  };
  const metaPath = path.join(path.dirname(database), ".it's.db-sluice");
  const near = { name: 'near', target, startedBy: 'command' } as const;
  const before = { ...report, at: '2026-01-31T12:00:00.000Z', result: 'ok' };
  for (const each of [before, report]) {
    await recordDrill(metaPath, near, each as unknown as DrillReport);
  }
  const { rows } = await jsonOf<{
    rows: {
      healthy: boolean;
      drillsKnown: boolean;
      problems: object[];
      destinations: { drill: object }[];
    }[];
  }>(await get('status', {}));
  expect(rows[0]).toMatchObject({ healthy: false, drillsKnown: true });
  expect(JSON.stringify(rows[0]?.problems)).toContain('near failed its drill');
  // Only the timeline has those before it: rows are sent again and again.
  expect(rows[0]?.destinations[0]?.drill).not.toHaveProperty('earlier');
  const { drills } = await jsonOf<{ drills: { earlier: object[] }[] }>(await get('database'));
  expect(drills[0]?.earlier).toEqual([{ at: before.at, result: 'ok' }]);
  const costs = await jsonOf<object[]>(await get('costs'));
  expect(costs).toHaveLength(2);
  expect(costs[0]).toHaveProperty('destination', 'near');
});

test('secrets appear in no answer', async () => {
  const { get, statuses } = await scene();
  const [status] = statuses;
  if (status === undefined) throw new Error('no status');
  const error = { code: 'REPLICA_UNAVAILABLE', message: `bad key ${TOKEN}`, at: status.at };
  statuses[0] = {
    ...status,
    healthy: false,
    error,
    problems: [{ stage: 'send', message: `x ${TOKEN}` }],
  };
  for (const name of ['status', 'database', 'samples', 'session']) {
    const text = await (await get(name)).text();
    expect(text, name).not.toContain(TOKEN);
  }
  expect(await (await get('database')).text()).toContain('bad key [redacted]');
});

// --- when it is on ---

const base = {
  databases: () => [],
  status: () => [],
  configFile: undefined,
  secrets: new Secrets(),
};

function created(addr: string | undefined, page: Partial<PageConfig>): Page | undefined {
  const log = (): void => undefined;
  const logger = { debug: log, info: log, warn: log, error: log };
  const made = createPage({ ...base, config: { addr, page: { ...OPEN, ...page } }, logger });
  onTestFinished(async () => await made?.close());
  return made;
}

test.each([
  ['no addr', undefined, {}, 'off'],
  ['this machine only', ':9090', {}, 'on'],
  ['this machine only, IPv6', '[::1]:9090', {}, 'on'],
  ['turned off', ':9090', { enabled: false }, 'off'],
  ['reachable, without a token', '0.0.0.0:9090', {}, 'off'],
  ['reachable, with a token', '0.0.0.0:9090', { token: TOKEN }, 'on'],
] as const)('%s', (_, addr, page, expected) => {
  expect(created(addr, page) === undefined ? 'off' : 'on').toBe(expected);
});

test('turned on where it needs a token, and without one, it is an error', () => {
  expect(() => created('0.0.0.0:9090', { enabled: true })).toThrow(/page\.token-file/);
});

test('where other machines reach it, nothing is read without the token', async () => {
  const page = created('0.0.0.0:9090', { token: TOKEN });
  const request = (headers: Record<string, string>): Request =>
    new Request('http://127.0.0.1:9090/api/status', { headers });
  expect((await page?.handle(request({})))?.status).toBe(403);
  const headers = { authorization: `Bearer ${TOKEN}` };
  expect((await page?.handle(request(headers)))?.status).toBe(200);
});
