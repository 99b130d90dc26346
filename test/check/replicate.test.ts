/** A replicator detects a server's support for conditional writes with its first small file. */

import fs from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { expect, onTestFinished, test } from 'vitest';
import { start, type Quirks, type RunningS3 } from '../servers/s3/index.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { sluice, type Ended } from './program.ts';

const ROWS = 5;

interface Scene {
  readonly server: RunningS3;
  readonly commit: () => void;
  readonly replicate: () => Promise<Ended>;
  /** The fencing state in `sluice status`. */
  readonly fencing: () => Promise<string | undefined>;
}

async function scene(quirks: Quirks): Promise<Scene> {
  const server = await start({ quirks });
  onTestFinished(() => server.stop());
  const file = path.join(temporaryFolder('check'), 'app.db');
  const database = new Database(file);
  onTestFinished(() => void database.close());
  database.pragma('journal_mode = wal');
  database.exec('CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)');
  const insert = database.prepare('INSERT INTO notes (text) VALUES (?)');
  const { accessKeyId, secretAccessKey } = server.credentials;
  const query = new URLSearchParams({
    endpoint: server.endpoint,
    region: server.region,
    'access-key-id': accessKeyId,
    'secret-access-key': secretAccessKey,
  });
  const url = `s3://${server.bucket}/app?${query.toString()}`;
  return {
    server,
    commit() {
      for (let row = 0; row < ROWS; row += 1) insert.run('note');
    },
    replicate: async () => await sluice('replicate', '-once', file, url),
    async fencing() {
      const config = path.join(path.dirname(file), 'sluice.yml');
      const dbs = [{ path: file, replicas: [{ url }] }];
      fs.writeFileSync(config, JSON.stringify({ dbs })); // JSON is YAML
      const { stdout } = await sluice('status', '-json', '-config', config);
      const [row] = JSON.parse(stdout) as [{ destinations: [{ fencing?: string }] }];
      return row.destinations[0].fencing;
    },
  };
}

/** Conditions and statuses of the writes to level 0. */
function writesOf(server: RunningS3): string[] {
  return server.requests
    .of('PutObject')
    .filter(({ key }) => key.startsWith('app/0000/'))
    .map(({ headers, status }) => `${headers['if-none-match'] ?? 'none'} ${status}`);
}

function warningsIn({ stdout, stderr }: Ended): string[] {
  return `${stdout}${stderr}`.split('\n').filter((line) => line.includes('fencing is off'));
}

test('a server that supports conditional writes gets fencing, without a warning', async () => {
  const { server, commit, replicate, fencing } = await scene({});
  commit();
  const first = await replicate();
  expect(first.code).toBe(0);
  expect(writesOf(server)).toEqual(['* 200', '* 412']);
  expect(warningsIn(first)).toEqual([]);
  expect(server.requests.of('ListObjectsV2')).toHaveLength(3); // LTX files, a backup of Litestream 0.3, the first file
  const others = server.raw.keys().filter((key) => !/^app\/000[09]\//.test(key));
  expect(others).toEqual(['app/sluice-owner.json']);
  const operations = server.requests.all().map(({ operation }) => operation);
  const lists = ['ListObjectsV2', 'ListObjectsV2', 'ListObjectsV2'];
  const writes = ['PutObject', 'PutObject', 'PutObject', 'PutObject']; // one of them is the owner
  expect(operations.toSorted()).toEqual(['GetObject', ...lists, ...writes]);
  expect(await fencing()).toBe('honored');
});

test.each<[string, Quirks, string, string[]]>([
  [
    'answers 501 to conditional writes',
    { refuseConditions: true },
    'this server does not support conditional writes',
    ['* 501', 'none 200'],
  ],
  [
    'ignores conditions',
    { ignoreConditions: true },
    'this server ignores conditional writes',
    ['* 200', '* 200'],
  ],
])(
  'for a server that %s one warning is logged, and replication continues',
  async (_, quirks, words, writes) => {
    const { server, commit, replicate, fencing } = await scene(quirks);
    commit();
    const first = await replicate();
    expect(first.code, first.stdout + first.stderr).toBe(0);
    expect(writesOf(server)).toEqual(writes);
    expect(warningsIn(first)).toHaveLength(1);
    expect(warningsIn(first)[0]).toContain(words);
    expect(warningsIn(first)[0]).toContain('level=WARN');
    expect(await fencing()).toBe('off');
    server.requests.clear();
    commit();
    const second = await replicate(); // another process, which detects it again
    expect(second.code).toBe(0);
    expect(writesOf(server)).toEqual(writes);
  },
);
