import { expect, test } from 'vitest';
import type { Config } from '../../src/config/model.ts';
import { Secrets } from '../../src/secrets.ts';
import { effectOf, readText } from '../support/configuration.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

/** The path of a destination that is written as `text`. */
async function pathOf(text: string, environment: Record<string, string> = {}): Promise<string> {
  const config = await readText(
    `dbs: [{ path: /d, replica: { type: s3, bucket: b, path: ${text} } }]`,
    environment,
  );
  return config.databases[0]?.destinations[0]?.path ?? '';
}

test.each([
  ['$NAME', 'app'],
  ['"${NAME}"', 'app'],
  ['a/$NAME/b', 'a/app/b'],
  ['${NAME}', 'app'],
  ['$NAME-$NAME.db', 'app-app.db'],
  ["'$NAME'", 'app'],
  ['cost$', 'cost$'],
  ['a$$b', 'a$b'],
  ['a$$NAME', 'a$NAME'],
  ['a$$$NAME', 'a$app'],
  ["'$$'", '$'],
  ['${NONE:-a$$b}', 'a$b'],
  ['$5', '$5'],
])('%s is expanded', async (written, path) => {
  expect(await pathOf(written, { NAME: 'app' })).toBe(path);
});

test.each([
  ['${NAME:-/else}', 'app', 'else', 'else'],
  ['${NAME-/else}', 'app', '', 'else'],
  ['"${NAME:-/else}"', 'app', 'else', 'else'],
  ['a${NAME:-}b', 'aappb', 'ab', 'ab'],
  ['x/${NAME:-$OTHER}', 'x/app', 'x/other', 'x/other'],
  ['x/${NAME:-${OTHER}-1}/y', 'x/app/y', 'x/other-1/y', 'x/other-1/y'],
  ['${NAME:-${NONE:-${OTHER-z}}}', 'app', 'other', 'other'],
  ['${NAME:-a: b #c}', 'app', 'a: b #c', 'a: b #c'],
  ['${NAME:-"it\'s"}', 'app', '"it\'s"', '"it\'s"'],
  ['${NAME:--}', 'app', '-', '-'],
])('%s uses its default', async (written, set, empty, unset) => {
  const bare = (path: string): string => path.replace(/^\//, '');
  const at = async (environment: Record<string, string>): Promise<string> =>
    bare(await pathOf(written, { OTHER: 'other', ...environment }));
  expect(await at({ NAME: 'app' })).toBe(set);
  expect(await at({ NAME: '' })).toBe(empty);
  expect(await at({})).toBe(unset);
});

test('a used default is not reported as unset, and an unused one is not expanded', async () => {
  const text = 'dbs: [{ path: "${DATA:-/data}/app.db", replica: { path: "/b/${SET:-$MISSING}" } }]';
  const config = await readText(text, { SET: 'x' });
  expect(config.notes).toEqual([]);
  expect(config.databases[0]?.options.path).toBe('/data/app.db');
  const other = await readText(text, { DATA: '/d' });
  expect(other.notes).toEqual(['test.yml:1: $MISSING is not set and is replaced by an empty text']);
});

test('a default does not change line numbers, and ends on its line', async () => {
  const text = 'addr: ${ADDR:-":1}\ndbs:\n- path: ${X:-/d}\n  pth: 1\n  replica: { path: /b }\n';
  await expect(readText(text)).rejects.toThrow(
    /test\.yml:4: dbs\[0\]: pth is not a key of a database/,
  );
});

test.each([
  '/b/${NAME:?unset}',
  '/b/${NAME:+x}',
  '/b/${NAME/a/b}',
  '"/b/${NAME"',
  '"/b/${NAME:-x"',
  '/b/${A:-${B:-${C:-${D:-${E:-${F:-${G:-${H:-${I:-x}}}}}}}}}',
])('%s is refused with its line and key, without its text', async (written) => {
  const text = `dbs:\n- path: /d\n  replica:\n    path: ${written}\n`;
  const error: unknown = await readText(text).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
  expect(String(error)).toContain('test.yml:4: path: "${" starts an unsupported form of variable');
  expect(String(error)).toContain(
    'write $NAME, ${NAME}, ${NAME:-default} or ${NAME-default}, $$ for',
  );
  expect(String(error)).not.toMatch(/unset|NAME\/a/);
});

test.each([
  ['{ type: sftp, host: h, user: u, password: pa$word }', 'password'],
  ['{ type: s3, bucket: b, access-key-id: a, secret-access-key: pa$word }', 'secret-access-key'],
  ['{ url: "sftp://u:pa$word@h/p" }', 'url'],
])('a dollar sign in the secret of %s does not reveal a part of it', async (replica, key) => {
  const { notes } = await readText(`dbs:\n- path: /d\n  replica: ${replica}\n`);
  expect(notes).toEqual([
    `test.yml:3: a variable of ${key} is not set and is replaced by an empty text (write $$ for a dollar sign)`,
  ]);
});

test('unsupported forms are allowed in comments', async () => {
  const config = await readText('# ${A:?x} ${B\ndbs: [{ path: /d, replica: { path: /b } }]');
  expect(config.notes).toEqual([]);
});

test.each(['a: b', 'x #y', '"quoted', '- z', '{', '*a', '&b', '%', '@', "it's"])(
  'a variable may contain %j and remains one value',
  async (value) => {
    expect(await pathOf('$NAME', { NAME: value })).toBe(value);
    expect(await pathOf('x${NAME}y', { NAME: value })).toBe(`x${value}y`);
  },
);

test('a variable may contain line breaks', async () => {
  const text = 'exec: $COMMAND\ndbs: [{ path: /d, replica: { path: /b } }]\n';
  expect((await readText(text, { COMMAND: 'two\nlines' })).exec).toBe('two\nlines');
});

test('$PID is the ID of this process', async () => {
  expect(await pathOf('$PID')).toBe(String(process.pid));
});

test('an unset variable is empty, and is reported with its line', async () => {
  const text = 'addr: $ADDR\ndbs:\n- path: /d\n  replica: { path: "/b/${MISSING}x" }\n';
  const config = await readText(text);
  expect(config.addr).toBeUndefined();
  expect(config.databases[0]?.destinations[0]?.path).toBe('/b/x');
  expect(config.notes).toEqual([
    'test.yml:1: $ADDR is not set and is replaced by an empty text',
    'test.yml:4: $MISSING is not set and is replaced by an empty text',
  ]);
});

test('variables in comments are ignored', async () => {
  const config = await readText('# $MISSING\ndbs: [{ path: /d, replica: { path: /b } }]');
  expect(config.notes).toEqual([]);
});

test('numbers, booleans, durations and sizes may be variables', async () => {
  const text = `dbs:
- path: /d
  min-checkpoint-page-count: $PAGES
  staging-max-bytes: $BYTES
  monitor-interval: $EVERY
  restore-if-db-not-exists: $YES
  replica: { path: /b }
`;
  const environment = { PAGES: '77', BYTES: '3MiB', EVERY: '3s', YES: 'true' };
  const { databases } = await readText(text, environment);
  expect(databases[0]).toMatchObject({
    restoreIfMissing: true,
    options: {
      minCheckpointPageCount: 77,
      stagingMaxBytes: 3 * 1024 ** 2,
      monitorIntervalMs: 3000,
    },
  });
});

const SECRET = `dbs:
- path: /d
  replica: { type: s3, bucket: b, access-key-id: id, secret-access-key: $THE_KEY }
`;

test('the value of an unset variable can be in a file, without the trailing line break', async () => {
  const file = writeFile(temporaryFolder(), 'key', 'top secret \n');
  const config = await readText(SECRET, { THE_KEY_FILE: file });
  expect(effectOf(config)).toContain('"secretAccessKey":"top secret "');
});

test('a variable overrides its file', async () => {
  const config = await readText(SECRET, { THE_KEY: 'set', THE_KEY_FILE: '/nowhere' });
  expect(effectOf(config)).toContain('"secretAccessKey":"set"');
});

test('an unreadable file is reported with its variable', async () => {
  const reading = readText(SECRET, { THE_KEY_FILE: '/nowhere/key' });
  await expect(reading).rejects.toThrow(/read \/nowhere\/key \(THE_KEY_FILE\): /);
});

test('a key ending in -file reads the value from a file', async () => {
  const file = writeFile(temporaryFolder(), 'key', 'from-a-file\n');
  const secrets = new Secrets();
  const text = `dbs:
- path: /d
  replica: { type: s3, bucket: b, access-key-id: id, secret-access-key-file: ${file} }
`;
  const config = await readText(text, {}, secrets);
  expect(effectOf(config)).toContain('"secretAccessKey":"from-a-file"');
  expect(secrets.clean('x from-a-file y')).toBe('x [redacted] y');
});

test('a key and its -file together are an error', async () => {
  const text = `dbs:
- path: /d
  replica: { type: s3, bucket: b, access-key-id: id, secret-access-key: a, secret-access-key-file: /b }
`;
  await expect(readText(text)).rejects.toThrow(
    /secret-access-key-file and secret-access-key cannot be used together/,
  );
});

test('a printed configuration contains no secret', async () => {
  const config: Config = await readText(SECRET, { THE_KEY: 'top-secret-value' });
  expect(JSON.stringify(config)).not.toContain('top-secret-value');
});
