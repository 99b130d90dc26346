/** `sluice replicate` as a process, from start to end. */

import fs from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { addRows, openApplication } from '../support/database.ts';
import { CLIProcess, runProcess } from '../support/process.ts';
import { rowsAt, scene } from '../support/scene.ts';
import { closedEndpoint, startSilentServer } from '../support/silent-server.ts';
import { writeFile } from '../support/temporary.ts';

// Each fsync may take seconds on a busy disk.
vi.setConfig({ testTimeout: 300_000 });

/** An s3 destination that cannot be reached. */
async function unreachable(): Promise<string> {
  const endpoint = await closedEndpoint();
  return `{ type: s3, bucket: b, path: p, endpoint: "${endpoint}", region: x, access-key-id: a, secret-access-key: top-secret-key }`;
}

test('-once brings two destinations up to date and exits 0', async () => {
  const { folder, database, backup } = scene(10);
  const other = path.join(folder, 'other');
  const words = ['replicate', '-once', database, `file://${backup}`, `file://${other}`, '-json'];
  const { code, stdout, stderr } = await runProcess(words);
  expect(code, stderr).toBe(0);
  const report = JSON.parse(stdout) as unknown;
  const destination = { txid: '0000000000000001', complete: 'complete' };
  expect(report).toMatchObject({
    databases: [
      {
        path: database,
        txid: '0000000000000001',
        destinations: [
          { name: 'file', target: `file://${backup}`, ...destination },
          { name: 'file-2', target: `file://${other}`, ...destination },
        ],
      },
    ],
  });
  expect(await rowsAt(backup)).toBe(10);
  expect(await rowsAt(other)).toBe(10);
});

test('after a clean end, the next start continues without a full snapshot', async () => {
  const { folder, database, backup } = scene(0);
  const application = openApplication(database);
  onTestFinished(() => application.close());
  application.addRow();
  const words = ['replicate', database, `file://${backup}`];
  const first = new CLIProcess(words);
  await first.says(/taking a full snapshot/);
  application.addRow();
  first.kill('SIGTERM');
  expect((await first.ended()).code).toBe(0);
  const state = path.join(folder, '.app.db-sluice', 'status.json');
  expect(fs.readFileSync(state, 'utf8')).toContain('"state": "closed"');
  application.addRow();
  const second = await runProcess([...words, '-once']);
  expect(second.code, second.stdout).toBe(0);
  expect(second.stdout).toMatch(/continuing after TXID/);
  expect(second.stdout).not.toMatch(/taking a full snapshot/);
  expect(await rowsAt(backup)).toBe(3);
});

test('-once names a destination that is behind, and completes the others', async () => {
  const { folder, database, backup } = scene(10);
  const config = writeFile(
    folder,
    'sluice.yml',
    `shutdown-sync-timeout: 5s
dbs: [{ path: ${database}, replicas: [${await unreachable()}, { path: ${backup} }] }]
`,
  );
  const { code, stdout } = await runProcess(['replicate', '-once', '-config', config]);
  expect(code).toBe(3);
  expect(stdout).toMatch(
    /level=ERROR msg="s3 is behind: .*ECONNREFUSED.* code=REPLICA_UNAVAILABLE db=\S*app\.db$/m,
  );
  expect(stdout).toMatch(/level=INFO msg="file has everything" .*db=\S*app\.db$/m);
  expect(stdout).not.toContain('top-secret-key');
  expect(await rowsAt(backup)).toBe(10);
});

test('-once fails for a missing database and names it', async () => {
  const { folder, database, backup } = scene(0);
  const config = writeFile(
    folder,
    'sluice.yml',
    `shutdown-sync-timeout: 300ms\ndbs: [{ path: ${database}, replica: { path: ${backup} } }]\n`,
  );
  const { code, stdout } = await runProcess(['replicate', '-once', '-config', config]);
  expect(code).toBe(9);
  expect(stdout).toContain(
    `msg="the database does not exist: nothing was sent; check its path" db=${database}`,
  );
});

test.each(['SIGTERM', 'SIGINT'] as const)('%s sends new commits and exits 0', async (signal) => {
  const { database, backup } = scene(5);
  const sluice = new CLIProcess(['replicate', database, `file://${backup}`]);
  await sluice.says(/taking a full snapshot/);
  addRows(database, 20);
  sluice.kill(signal);
  const { code, stdout } = await sluice.ended();
  expect(code, stdout).toBe(0);
  expect(stdout).toMatch(new RegExp(`msg="file has everything" .*db=${database}$`, 'm'));
  expect(await rowsAt(backup)).toBe(25);
});

test('after SIGTERM, the exit code is "behind" if a destination is behind', async () => {
  const { folder, database, backup } = scene(5);
  const config = writeFile(
    folder,
    'sluice.yml',
    `shutdown-sync-timeout: 300ms
dbs: [{ path: ${database}, replicas: [{ path: ${backup} }, ${await unreachable()}] }]
`,
  );
  const sluice = new CLIProcess(['replicate', '-config', config]);
  await sluice.says(/taking a full snapshot/);
  sluice.kill('SIGTERM');
  const { code, stdout } = await sluice.ended();
  expect(code).toBe(3);
  expect(stdout).toMatch(/s3 is behind: .* target="s3:\/\/b\/p at http/);
  expect(await rowsAt(backup)).toBe(5);
});

test.each([[['stdout']], [['stdout', 'stderr']]] as const)(
  'replication continues without a reader of %j',
  async (closed) => {
    const { folder, database, backup } = scene(5);
    const sluice = new CLIProcess(['replicate', database, `file://${backup}`]);
    await sluice.says(/full snapshot/);
    for (const stream of closed) sluice.closeReader(stream);
    sluice.kill('SIGUSR2'); // logs a line that nobody reads
    const state = path.join(folder, '.app.db-sluice', 'status.json');
    addRows(database, 20);
    // The first file was staged before the reader went away.
    const txids = (): string => fs.readFileSync(state, 'utf8').replaceAll(/"txid": "0+1"/g, '');
    await expect.poll(txids, { timeout: 60_000 }).toMatch(/"name": "file"[^}]*"txid": "/);
    sluice.kill('SIGTERM');
    const { code, stderr } = await sluice.ended();
    expect(code, stderr).toBe(0);
    expect(await rowsAt(backup)).toBe(25);
    if (closed.length === 1) {
      expect(stderr).toContain('a log output cannot be written to: write EPIPE');
      expect(stderr).toContain('SIGTERM: a last sync to every destination');
    }
  },
);

test('a last sync that cannot read all commits is an error with its cause', async () => {
  const { folder, database, backup } = scene(0);
  const application = openApplication(database);
  onTestFinished(() => application.close());
  application.addRow();
  const config = writeFile(
    folder,
    'sluice.yml',
    `shutdown-sync-timeout: 300ms\ndbs: [{ path: ${database}, replica: { path: ${backup} } }]\n`,
  );
  const sluice = new CLIProcess(['replicate', '-config', config]);
  await sluice.says(/taking a full snapshot/);
  await vi.waitFor(() => expect(fs.readdirSync(path.join(backup, 'ltx', '9'))).toHaveLength(1), {
    timeout: 60_000,
  });
  application.addRow();
  fs.truncateSync(`${database}-wal`, 0); // SQLite still reports frames
  sluice.kill('SIGTERM');
  const { code, stdout } = await sluice.ended();
  expect(code, stdout).toBe(9);
  expect(stdout).toMatch(/level=ERROR msg=".*for 5 s SQLite reports committed frames/);
});

test('a second signal exits at once with 128 plus its number', async () => {
  const { folder, database } = scene(5);
  const { endpoint } = await startSilentServer();
  const s3 = `{ type: s3, bucket: b, path: p, endpoint: "${endpoint}", region: x, access-key-id: a, secret-access-key: bbbbbbbb }`;
  const config = writeFile(folder, 'sluice.yml', `dbs: [{ path: ${database}, replica: ${s3} }]\n`);
  const sluice = new CLIProcess(['replicate', '-config', config]);
  await sluice.says(/taking a full snapshot/);
  sluice.kill('SIGTERM');
  await sluice.says(/a last sync to every destination/);
  const before = Date.now();
  sluice.kill('SIGINT');
  const { code, stdout } = await sluice.ended();
  expect(code).toBe(130);
  expect(Date.now() - before).toBeLessThan(2_000);
  expect(stdout).toContain('exiting at once; unsent files remain staged');
});

test('the start logs the destinations, the possible loss, and ignored settings', async () => {
  const { folder, database, backup } = scene(1);
  const config = writeFile(
    folder,
    'sluice.yml',
    `dbs:
- path: ${database}
  replicas:
  - path: ${backup}
    retention: 48h
    retention-check-interval: 1h
    sync-interval: 250ms
`,
  );
  const { stdout } = await runProcess(['replicate', '-once', '-config', config]);
  expect(stdout).toContain(
    `replicating ${database} to file (file://${backup})" db=${database} syncInterval=250ms`,
  );
  expect(stdout).toMatch(/if this disk is lost, commits that no destination has yet are lost/);
  expect(stdout).toMatch(
    /states of the last 48h are kept at file \(after an hour, one for each interval of level 1\); older files are deleted/,
  );
  expect(stdout).toMatch(
    /level=WARN msg="dbs\[0\]\.replicas\[0\]\.retention-check-interval: Sluice looks/,
  );
});

test('-once -enforce-retention deletes nothing that is young, and needs -once', async () => {
  const { database, backup } = scene(3);
  const words = ['replicate', '-enforce-retention', database, `file://${backup}`];
  const refused = await runProcess(words);
  expect(refused.code).toBe(2);
  expect(refused.stderr).toMatch(/-enforce-retention needs -once/);
  const { code, stdout } = await runProcess([...words.slice(0, 1), '-once', ...words.slice(1)]);
  expect(code, stdout).toBe(0);
  expect(stdout).not.toMatch(/\d files, .* deleted/);
  expect(await rowsAt(backup)).toBe(3);
  const again = await runProcess([...words.slice(0, 1), '-once', ...words.slice(1)]);
  expect(again.stdout).toMatch(/nothing is deleted: the time of the server is known only after/);
});

test('the log can be JSON and on stderr', async () => {
  const { folder, database, backup } = scene(1);
  const config = writeFile(
    folder,
    'sluice.yml',
    `logging: { type: json, stderr: true }\ndbs: [{ path: ${database}, replica: { path: ${backup} } }]\n`,
  );
  const { stdout, stderr } = await runProcess(['replicate', '-once', '-config', config]);
  expect(stdout).toBe('');
  const lines = stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { level: string });
  expect(lines.length).toBeGreaterThan(3);
  expect(new Set(lines.map(({ level }) => level))).toEqual(new Set(['INFO']));
});

/** Lines about the process, not about a database. */
const OF_THE_PROCESS = [
  /^sluice \d+\.\d+\.\d+ starts as process \d+$/,
  /^if this disk is lost/,
  /^states of the last 72h are kept at/,
];

test('every line names its database, also if databases share a failing connection', async () => {
  const { folder, database } = scene(3);
  const other = path.join(folder, 'other.db');
  addRows(other, 3);
  const s3 = await unreachable();
  const config = writeFile(
    folder,
    'sluice.yml',
    `logging: { type: json, level: debug }
shutdown-sync-timeout: 1s
dbs:
- { path: ${database}, replicas: [${s3}, { path: ${path.join(folder, 'a')} }] }
- { path: ${other}, replicas: [${s3.replace('path: p', 'path: q')}, { path: ${path.join(folder, 'b')} }] }
`,
  );
  const { stdout } = await runProcess(['replicate', '-once', '-config', config]);
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { msg: string; db?: string });
  const nameless = lines.filter(({ db }) => db === undefined).map(({ msg }) => msg);
  expect(nameless.filter((msg) => !OF_THE_PROCESS.some((known) => known.test(msg)))).toEqual([]);
  for (const db of [database, other]) {
    const own = lines.filter((line) => line.db === db).map(({ msg }) => msg);
    expect(own).toContainEqual(expect.stringMatching(/^will be retried: .*ECONNREFUSED/));
    expect(own).toContainEqual(expect.stringMatching(/^file: full snapshot sent: .* in [\d.]+ s$/));
    expect(own).toContainEqual(expect.stringMatching(/^s3 is behind: /));
    expect(own).toContain('file has everything');
  }
});

test('-log-level overrides LOG_LEVEL', async () => {
  const { database, backup } = scene(1);
  const words = ['replicate', '-once', '-log-level', 'error', database, `file://${backup}`];
  const { code, stdout, stderr } = await runProcess(words, { LOG_LEVEL: 'debug' });
  expect([code, stdout, stderr]).toEqual([0, '', '']);
});

test('an invalid configuration starts nothing', async () => {
  const { folder, database, backup } = scene(1);
  const config = writeFile(
    folder,
    'sluice.yml',
    `dbs: [{ path: ${database}, replicas: [{ path: ${backup} }, { typ: file }] }]\n`,
  );
  const { code, stdout, stderr } = await runProcess(['replicate', '-config', config]);
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toContain(
    `${config}:1: dbs[0].replicas[1]: typ is not a key of file: did you mean type?`,
  );
  expect(fs.readdirSync(folder).sort()).toEqual(['app.db', 'sluice.yml']);
});

test.each([
  [['-once', '-exec', 'true', '/d', 'file:///b'], /-once ends by itself/],
  [['/d'], /no destination: write "sluice replicate \/d URL"/],
  [['-config', 'x', '/d', 'file:///b'], /use either a database and its URLs, or -config/],
  [['-log-level', 'loud', '/d', 'file:///b'], /-log-level is trace/],
  [['/d', '/b'], /"\/b" is not a URL/],
  [['-exec', 'a | b', '/d', 'file:///b'], /write sh -c/],
  [['-exec', ' ', '/d', 'file:///b'], /-exec: no command/],
  [['', 'file:///b'], /a database or URL is empty: is a variable unset\?/],
  [['/d', ''], /a database or URL is empty/],
  [['/d', 'file:///b\n'], /"file:\/\/\/b\\n" contains a line break/],
  [['/d', 'file:///.d-sluice/b'], /\/\.d-sluice\/b is inside the staging folder of dbs\[0\]/],
])('replicate %j is a mistake, and says which', async (words, message) => {
  const { code, stderr } = await runProcess(['replicate', ...words]);
  expect(code).toBe(2);
  expect(stderr).toMatch(message);
  expect(stderr).not.toContain('begins'); // nothing was started
});

test('with addr, metrics, health and the page are served during replication', async () => {
  const { folder, database, backup } = scene(5);
  const config = writeFile(
    folder,
    'sluice.yml',
    `addr: ":0"\ndbs: [{ path: ${database}, replica: { path: ${backup} } }]\n`,
  );
  const sluice = new CLIProcess(['replicate', '-config', config]);
  const [, origin] = await sluice.says(/metrics at (http:\/\/127\.0\.0\.1:\d+)\/metrics/);
  const txid = `sluice_replica_txid{db="${database}",destination="file"} 1`;
  const scrape = async (): Promise<string> => await (await fetch(`${origin}/metrics`)).text();
  await expect.poll(scrape, { timeout: 60_000 }).toContain(txid);
  expect((await fetch(`${origin}/status`)).status).toBe(200);
  const page = await fetch(`${origin}/`);
  expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
  expect(await page.text()).toContain('<title>');
  const rows = async (): Promise<string> => await (await fetch(`${origin}/api/status`)).text();
  await expect.poll(rows, { timeout: 60_000 }).toContain(database);
  sluice.kill('SIGTERM');
  expect((await sluice.ended()).code).toBe(0);
});
