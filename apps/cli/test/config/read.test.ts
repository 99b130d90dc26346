import fs from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { isError } from '@sluice/core';
import { readCommandLine, readConfig } from '../../src/config/read.ts';
import { Secrets } from '../../src/secrets.ts';
import { effectOf, readText } from '../support/configuration.ts';

const EXAMPLES = fileURLToPath(new URL('../../../../examples/', import.meta.url));

test('an existing configuration of Litestream works unchanged', async () => {
  const config = await readText(`dbs:
- path: /data/app.db
  replicas:
  - type: s3
    bucket: my-app-backups
    path: app.db
    region: eu-west-1
    retention: 72h
`);
  expect(config.databases).toMatchObject([
    {
      options: { path: '/data/app.db' },
      destinations: [
        {
          name: 's3',
          target: 's3://my-app-backups/app.db',
          path: 'app.db',
          retention: { retentionMs: 72 * 3_600_000 },
        },
      ],
    },
  ]);
  expect(config.notes).toEqual([]);
});

test('three destinations can be added to it', async () => {
  const config = await readText(`dbs:
- path: /data/app.db
  replicas:
  - { type: s3, bucket: my-app-backups, path: app.db, region: eu-west-1, retention: 72h }
  - { type: s3, bucket: second, path: app.db }
  - { url: "s3://third/app.db?endpoint=https://s3.example.com" }
  - { path: /mnt/backup }
`);
  expect(config.databases[0]?.destinations.map(({ name, target }) => [name, target])).toEqual([
    ['s3', 's3://my-app-backups/app.db'],
    ['s3-2', 's3://second/app.db'],
    ['s3-3', 's3://third/app.db at https://s3.example.com'],
    ['file', 'file:///mnt/backup'],
  ]);
});

test.each(fs.readdirSync(EXAMPLES).filter((name) => name.endsWith('.yml')))(
  'examples/%s is valid',
  async (name) => {
    const secret = path.join(EXAMPLES, name); // any existing file
    const text = fs
      .readFileSync(path.join(EXAMPLES, name), 'utf8')
      .replaceAll('/run/secrets/offsite-key', secret);
    const environment = {
      DATA_DIR: '/data',
      OFFSITE_KEY_ID: 'id',
      AWS_KEY_ID: 'id',
      AWS_SECRET_KEY: 'secret',
      R2_ACCOUNT: 'account',
      R2_KEY_ID: 'id',
      R2_SECRET_KEY: 'secret',
    };
    const config = await readText(text, environment);
    expect(config.databases.length).toBeGreaterThan(0);
    expect(config.notes.filter((note) => note.includes('not set'))).toEqual([]);
  },
);

test('one error reports all problems, each with file, line and the closest key', async () => {
  const text = `adr: ":9090"
logging:
  level: dbug
  sorce: true
dbs:
- path: /data/app.db
  monitor-interval: 1
  min-checkpoint-page-count: many
  replicas:
  - type: s3
    bukcet: my-app-backups
    part-size: 1MB
  - type: file
    path: /backup/app
    bucket: b
  - url: file:///backup/app
  - typ: s3
  - path: /backup/b
    sync-intervall: 1s
- path: sqlite:///data/app.db
  replica: /backup
- replicas: []
`;
  const error: unknown = await readText(text).catch((thrown: unknown) => thrown);
  expect(isError(error, 'CONFIG_INVALID')).toBe(true);
  const lines = (error as Error).message.split('\n');
  expect(lines[0]).toBe(`test.yml has ${lines.length - 1} problems:`);
  expect(lines.slice(1)).toEqual([
    'test.yml:1: adr is not a key of the configuration: did you mean addr?',
    'test.yml:3: logging.level must be one of trace, debug, info, warn, error, not "dbug": did you mean debug?',
    'test.yml:4: logging.sorce is not a key of logging',
    'test.yml:7: dbs[0]: monitor-interval must be a duration such as 1s, 5m or 24h, not "1"',
    'test.yml:8: dbs[0]: min-checkpoint-page-count must be a whole number, not "many"',
    'test.yml:10: dbs[0].replicas[0]: bucket is missing',
    'test.yml:11: dbs[0].replicas[0]: bukcet is not a key of s3: did you mean bucket?',
    'test.yml:12: dbs[0].replicas[0]: part-size is 1000000 bytes: the minimum is 5242880 bytes',
    'test.yml:15: dbs[0].replicas[1].bucket: is a key of s3, gs, abs, not of file; remove it',
    'test.yml:17: dbs[0].replicas[3]: path is missing',
    'test.yml:17: dbs[0].replicas[3]: typ is not a key of file: did you mean type?',
    'test.yml:19: dbs[0].replicas[4]: sync-intervall is not a key of file: did you mean sync-interval?',
    'test.yml:20: dbs[1].path: /data/app.db is already the path of dbs[0].path',
    'test.yml:21: dbs[1]: replica must be a map of keys: write { path: … }',
    'test.yml:22: dbs[2].replicas is empty: add at least one destination',
    'test.yml:22: dbs[2]: path is missing',
  ]);
});

test('an unset variable is listed among the problems it may have caused', async () => {
  const text = `dbs:
- path: /d
  replica:
    type: s3
    bucket: $NO_SUCH_BUCKET
    path: p
`;
  await expect(readText(text)).rejects.toThrow(
    'test.yml has 2 problems:\n' +
      'test.yml:5: dbs[0].replica: bucket is missing\n' +
      'test.yml:5: $NO_SUCH_BUCKET is not set and is replaced by an empty text',
  );
});

const VALID_DATABASE = 'dbs: [{ path: /d, replica: { path: /b } }]';

test.each([
  ['dbs: 5', /dbs must be a list/],
  [
    `addr: "host:99999"\n${VALID_DATABASE}`,
    /:1: addr must be host:port or :port, not "host:99999"/,
  ],
  [`exec: 'node "x'\n${VALID_DATABASE}`, /:1: exec cannot be run: the quote " is not closed/],
  [
    `exec: a && b\n${VALID_DATABASE}`,
    /:1: exec cannot be run: "&" only works in a shell: write sh/,
  ],
  [`max-lag: 5ms\n${VALID_DATABASE}`, /:1: max-lag is 5ms: the minimum is 1s/],
  ['', /dbs is missing/],
  ['[a]', /the configuration must be a map of keys/],
  ['dbs: [5]', /dbs\[0\] must be a map with a path and its replicas/],
  ['dbs: []', /dbs is empty: there is nothing to replicate/],
  ['dbs: [{ path: /, replica: { path: /b } }]', /dbs\[0\]: path \/ is the root of the file/],
  ['dbs: [{ path: "/d\\n", replica: { path: /b } }]', /path "\/d\\n" contains a line break/],
  ['dbs: [{ path: ~me/d, replica: { path: /b } }]', /path ~me\/d: only ~ and ~\/… are expanded/],
  ['dbs: [{ path: "file:///d", replica: { path: /b } }]', /file:\/\/\/d is a URL; write a path/],
  ['dbs: [{ path: /d, meta-path: "/m\\n", replica: { path: /b } }]', /meta-path "\/m\\n" contains/],
  [
    'dbs: [{ path: /d, replica: { path: /b, name: "a\\nb" } }]',
    /name "a\\nb" contains a line break/,
  ],
  [
    'dbs: [{ path: /d, replica: { url: "file:///b\\n" } }]',
    /"file:\/\/\/b\\n" contains a line break/,
  ],
  [
    'dbs: [{ path: /d, replica: { url: "file:///b " } }]',
    /"file:\/\/\/b " contains .* spaces around/,
  ],
  ['dbs: [{ path: /d, replica: { path: /b } }]\n---\ndbs: []', /more than one document \(---\)/],
  ['dbs: [{ path: /d }]', /replicas is missing: add at least one destination/],
  [
    'dbs: [{ path: /d, replica: { path: /b }, replicas: [{ path: /c }] }]',
    /replica and replicas cannot be used together/,
  ],
  ['dbs: [{ path: /d, replicas: [5] }]', /dbs\[0\]\.replicas\[0\] must be a map/],
  ['dbs: [{ path: [/d], replica: { path: /b } }]', /dbs\[0\]: path must be text, not a list/],
  ['logging: loud\ndbs: []', /logging must be a map of level, type, stderr/],
])('%j is refused: %s', async (text, message) => {
  await expect(readText(text)).rejects.toThrow(message);
});

test('two destinations with the same target are an error, also in different databases', async () => {
  const within = 'dbs: [{ path: /d, replicas: [{ path: /b }, { url: "file:///b/" }] }]';
  await expect(readText(within)).rejects.toThrow(
    /dbs\[0\]\.replicas\[1\]: file:\/\/\/b is already the target of dbs\[0\]\.replicas\[0\]:/,
  );
  const across = `dbs:
- { path: /d, replica: { type: s3, bucket: b, path: p, region: a } }
- { path: /e, replica: { url: "s3://b/p?region=b", part-size: 9MB } }
`;
  await expect(readText(across)).rejects.toThrow(
    /s3:\/\/b\/p is already the target of dbs\[0\]\.replica:/,
  );
});

test('a duplicate name is an error, and default names avoid the given ones', async () => {
  const twice = 'dbs: [{ path: /d, replicas: [{ path: /a, name: x }, { path: /b, name: x }] }]';
  await expect(readText(twice)).rejects.toThrow(/the name x is already used by/);
  const given = 'dbs: [{ path: /d, replicas: [{ path: /a }, { path: /b, name: file }] }]';
  const { databases } = await readText(given);
  expect(databases[0]?.destinations.map(({ name }) => name)).toEqual(['file-2', 'file']);
});

test('two databases with the same staging folder are an error', async () => {
  const text = `dbs:
- { path: /d, meta-path: /m, replica: { path: /a } }
- { path: /e, meta-path: /m, replica: { path: /b } }
`;
  await expect(readText(text)).rejects.toThrow(/\/m is already the staging folder of dbs\[0\]/);
});

test.each([
  ['sqlite:///data/x.db', '/data/x.db'],
  ['sqlite3:///data/x.db', '/data/x.db'],
  ['~/x.db', path.join(homedir(), 'x.db')],
  ['x.db', path.resolve('x.db')],
])('the database %s is resolved to %s', async (written, meant) => {
  const { databases } = await readText(`dbs: [{ path: "${written}", replica: { path: /b } }]`);
  expect(databases[0]?.options.path).toBe(meant);
});

test('the shortest sync interval applies to the database, and each destination has its own snapshot interval', async () => {
  const { databases } = await readText(`sync-interval: 5s
snapshot: { interval: 24h }
dbs:
- path: /d
  replicas:
  - { path: /a, snapshot-interval: 3h }
  - { path: /b, sync-interval: 2s, snapshot-interval: 2h }
  - { path: /h }
- { path: /e, snapshot: { interval: 1h }, replica: { path: /c } }
- { path: /f, replica: { path: /g } }
`);
  expect(
    databases.map(({ options, destinations }) => [
      options.syncIntervalMs,
      options.snapshotIntervalMs,
      ...destinations.map(({ snapshotIntervalMs }) => snapshotIntervalMs),
    ]),
  ).toEqual([
    [2_000, 86_400_000, 10_800_000, 7_200_000, undefined],
    [5_000, 3_600_000, undefined],
    [5_000, 86_400_000, undefined],
  ]);
  const top = await readText('snapshot-interval: 6h\ndbs: [{ path: /d, replica: { path: /a } }]');
  expect(top.databases[0]?.destinations[0]?.snapshotIntervalMs).toBe(21_600_000);
});

test('a top-level default applies to destinations that have the key and do not set it', async () => {
  const config = await readText(`region: top
access-key-id: id
secret-access-key: the-secret
dbs:
- path: /d
  replicas:
  - { type: s3, bucket: a }
  - { type: s3, bucket: b, region: own }
  - { url: "s3://c/p?region=url" }
  - { url: "s3://d/p?region=url", region: $UNSET }
  - { type: s3, bucket: e, region: ~ }
  - { path: /backup }
`);
  const regions = config.databases[0]?.destinations.map(
    ({ config: of }) => (of as { region?: string }).region,
  );
  expect(regions).toEqual(['top', 'own', 'url', 'url', 'top', undefined]);
  expect(effectOf(config).match(/the-secret/g)).toHaveLength(5);
});

test.each([
  ['{ type: file, url: "s3://b/p" }', /type is file, but url starts with s3:\/\//],
  ['{ path: /a, url: "s3://b/p" }', /path and url cannot be used together/],
  ['{ url: "nonsense" }', /"nonsense" is not a URL such as s3:\/\/bucket\/path/],
  ['{ path: "s3://b/p" }', /is a URL/],
  ['{ type: s4 }', /unknown type s4: did you mean s3\?/],
  ['{ type: "@acme/none" }', /needs the package @acme\/none: run "npm install @acme\/none" in/],
])('the destination %s is refused', async (replica, message) => {
  await expect(readText(`dbs: [{ path: /d, replica: ${replica} }]`)).rejects.toThrow(message);
});

test.each([
  ['replica: "s3://b/p"', /replica must be a map of keys: write \{ url: … \}/],
  ['replicas: ["s3://b/p"]', /replicas\[0\] must be a map of keys: write \{ url: … \}/],
  ['replicas: [/mnt/b]', /replicas\[0\] must be a map of keys: write \{ path: … \}/],
])('%s is refused with a hint', async (replicas, message) => {
  await expect(readText(`dbs: [{ path: /d, ${replicas} }]`)).rejects.toThrow(message);
});

test('a timeout of 0 allows one attempt', async () => {
  const text = 'shutdown-sync-timeout: 0\ndbs: [{ path: /d, replica: { path: /b } }]';
  expect((await readText(text)).shutdownSyncTimeoutMs).toBeGreaterThan(0);
});

test.each([
  ['debug', 'debug'],
  ['WARNING', 'warn'],
  ['', 'error'],
])('LOG_LEVEL=%s overrides the configuration: %s', async (written, level) => {
  const text = 'logging: { level: error }\ndbs: [{ path: /d, replica: { path: /b } }]';
  const config = await readText(text, { LOG_LEVEL: written });
  expect([config.log.level, config.notes]).toEqual([level, []]);
});

test('an unknown LOG_LEVEL is ignored with a note', async () => {
  const text = 'dbs: [{ path: /d, replica: { path: /b } }]';
  const config = await readText(text, { LOG_LEVEL: 'verbose' });
  expect(config.log.level).toBe('info');
  expect(config.notes).toEqual(['LOG_LEVEL is ignored: "verbose" is not a log level']);
});

test('without expansion, a dollar sign is kept', async () => {
  const config = await readConfig('dbs: [{ path: /d, replica: { path: "/b/$X" } }]', {
    source: 'test.yml',
    folder: '/',
    environment: { X: 'x' },
    variables: 'leave',
    secrets: new Secrets(),
  });
  expect(config.databases[0]?.destinations[0]?.path).toBe('/b/$X');
});

test('a command line is a configuration without a file', async () => {
  const options = { environment: {}, secrets: new Secrets() };
  const config = await readCommandLine('/d', ['file:///a', 's3://b/p'], options);
  expect(config.databases[0]?.destinations.map(({ name }) => name)).toEqual(['file', 's3']);
  await expect(readCommandLine('/d', ['file:///a', 's4://b'], options)).rejects.toThrow(
    'the command line has 1 problem:\nthe command line: dbs[0].replicas[1]: unknown type s4',
  );
});
