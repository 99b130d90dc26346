/** sluice config check, and the search for a configuration. */

import path from 'node:path';
import { expect, test } from 'vitest';
import { sluice } from '../support/shell.ts';
import { installPackage } from '../support/third-party.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

const RIGHT = `region: eu-west-1
dbs:
- path: /data/app.db
  replicas:
  - { type: s3, bucket: b, path: app, retention-check-interval: 1h }
  - { path: /backup/app }
  - { name: offsite, url: "s3://c/app?endpoint=https://s3.example.com" }
`;
const WRONG = 'dbs:\n- path: /d\n  pth: 1\n  replica: { type: s3, bukcet: b }\n';

test('lists the destinations and the keys without effect', async () => {
  const file = writeFile(temporaryFolder(), 'sluice.yml', RIGHT);
  const { code, stdout, stderr } = await sluice(['config', 'check', '-config', file]);
  expect([code, stderr]).toEqual([0, '']);
  expect(stdout.split('\n')).toEqual([
    `${file} is valid`,
    'path          destination  type  target',
    '/data/app.db  s3           s3    s3://b/app',
    '/data/app.db  file         file  file:///backup/app',
    '/data/app.db  offsite      s3    s3://c/app at https://s3.example.com',
    'note: dbs[0].replicas[0].retention-check-interval: Sluice looks for files to delete every 10 minutes, if files were written',
    '',
  ]);
});

test('a directory without databases is named, here and by status', async () => {
  const folder = temporaryFolder();
  const text = `dbs: [{ dir: ${folder}, pattern: '*.sqlite', replica: { path: /backup } }]\n`;
  const file = writeFile(folder, 'sluice.yml', text);
  const line = `there is no database *.sqlite in ${folder}`;
  const checked = await sluice(['config', 'check', '-config', file]);
  expect([checked.code, checked.stdout]).toEqual([0, expect.stringContaining(`note: ${line}\n`)]);
  const status = await sluice(['status', '-config', file]);
  expect([status.code, status.stderr]).toEqual([
    0,
    `sluice: ${line}: nothing of it is replicated\n`,
  ]);
});

test('prints the same as JSON', async () => {
  const file = writeFile(temporaryFolder(), 'sluice.yml', RIGHT);
  const { code, stdout } = await sluice(['config', 'check', '-json', '-config', file]);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual({
    ok: true,
    file,
    problems: [],
    notes: [
      'dbs[0].replicas[0].retention-check-interval: Sluice looks for files to delete every 10 minutes, if files were written',
    ],
    databases: [
      {
        path: '/data/app.db',
        sync_interval: '1s',
        destinations: [
          { name: 's3', type: 's3', target: 's3://b/app' },
          { name: 'file', type: 'file', target: 'file:///backup/app' },
          { name: 'offsite', type: 's3', target: 's3://c/app at https://s3.example.com' },
        ],
      },
    ],
  });
});

test('problems are listed with their lines, and the exit code is 2', async () => {
  const file = writeFile(temporaryFolder(), 'sluice.yml', WRONG);
  const text = await sluice(['config', 'check', '-config', file]);
  expect([text.code, text.stdout]).toEqual([2, '']);
  expect(text.stderr).toContain(`${file}:3: dbs[0]: pth is not a key of a database`);
  const { code, stdout, stderr } = await sluice(['config', 'check', '-json', '-config', file]);
  expect([code, stderr]).toEqual([2, '']);
  expect(JSON.parse(stdout)).toEqual({
    ok: false,
    problems: [
      {
        line: 3,
        key: 'dbs[0].pth',
        message: 'dbs[0]: pth is not a key of a database: did you mean path?',
      },
      { line: 4, key: 'dbs[0].replica.bucket', message: 'dbs[0].replica: bucket is missing' },
      {
        line: 4,
        key: 'dbs[0].replica.bukcet',
        message: 'dbs[0].replica: bukcet is not a key of s3: did you mean bucket?',
      },
    ],
  });
});

test.each([
  ['dbs: []', 'dbs is empty'],
  ['', 'dbs is missing'],
])('%j is an error', async (text, says) => {
  const file = writeFile(temporaryFolder(), 'sluice.yml', text);
  const { code, stderr } = await sluice(['config', 'check', '-config', file]);
  expect(code).toBe(2);
  expect(stderr).toContain(says);
});

test('a path without -config is refused with the right command', async () => {
  const { code, stderr } = await sluice(['config', 'check', '/etc/s.yml']);
  expect(code).toBe(2);
  expect(stderr).toContain('write "sluice config check -config /etc/s.yml"');
});

test.each([[[]], [['chek']]])('the verb is required: %j', async (words) => {
  const { code, stderr } = await sluice(['config', ...words]);
  expect(code).toBe(2);
  expect(stderr).toContain('write "sluice config check"');
});

test('a third-party backend is checked, described and gets defaults like a built-in one', async () => {
  const folder = installPackage('@acme/sluice-http');
  const check = async (top: string, keys: string): Promise<string> => {
    const replica = `{ type: '@acme/sluice-http', path: app${keys} }`;
    const text = `${top}\ndbs:\n- path: /d\n  replica: ${replica}\n`;
    const file = writeFile(folder, 'sluice.yml', text);
    const { stdout, stderr } = await sluice(['config', 'check', '-config', file]);
    return (stdout + stderr).replaceAll(file, 'sluice.yml');
  };
  const token = writeFile(folder, 'token', 'hunter2\n');
  expect(await check(`token-file: ${token}`, ', gzip: yes, retries: 7')).toContain(
    '"token":"string"',
  );
  expect(await check('retries: 9', '')).toContain('http app {"retries":9}');
  expect(await check('retries: 9', ', retries: 5')).toContain('http app {"retries":5}');
  expect(await check('', ', gzp: yes')).toContain(
    'sluice.yml:4: dbs[0].replica: gzp is not a key of http: did you mean gzip?',
  );
  // An invalid default is reported at its own line.
  expect(await check('retries: many', '')).toContain(
    'sluice.yml:1: dbs[0].replica: retries: Expected integer, got string',
  );
  expect(await check('nonsense: 1', '')).toContain('sluice.yml:1: nonsense is not a key of');
});

test('no secret is printed, valid or not', async () => {
  const text = `dbs:
- path: /d
  replicas:
  - { type: sftp, host: h, user: u, password: "hunter2-pa$word" }
  - { type: sftp, host: "h/hunter2", user: u, password: hunter2 }
  - { url: "sftp:/u:hunter2@h" }
`;
  const file = writeFile(temporaryFolder(), 'sluice.yml', text);
  for (const flags of [[], ['-json']]) {
    const { stdout, stderr } = await sluice(['config', 'check', '-config', file, ...flags]);
    expect(stdout + stderr).not.toContain('hunter2');
    expect(stdout + stderr).not.toContain('$word');
  }
});

test('the first existing default path is used and printed', async () => {
  const folder = temporaryFolder();
  const places = [path.join(folder, 'none.yml'), writeFile(folder, 'sluice.yml', RIGHT)];
  const { code, stderr } = await sluice(['databases'], {}, places);
  expect([code, stderr]).toEqual([0, `sluice: using the configuration ${places[1]}\n`]);
  const named = await sluice(['databases', '-config', places[1] ?? ''], {}, places);
  expect([named.code, named.stderr]).toEqual([0, '']);
});
