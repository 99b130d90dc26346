import fs from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { addRows } from '../support/database.ts';
import { closedEndpoint } from '../support/silent-server.ts';
import { sluice } from '../support/shell.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

const CANARY = 'canary-7f3a9c';
const AGE_KEY = 'AGE-SECRET-KEY-16YSS0VFVXUD7PJMHYCC0DJ08VT0J8MU3R9E9U05NW37NZGKGARKQ5U5HV7';
const ENVIRONMENT = {
  AWS_SECRET_ACCESS_KEY: `${CANARY}-environment`,
  SLUICE_CONFIG: '',
  KEY_ID: 'id',
  APP_TOKEN: `${CANARY}-token`,
};

interface Bundle {
  readonly versions: Readonly<Record<string, string>>;
  readonly variables: readonly string[];
  readonly configuration: {
    readonly file?: string;
    readonly content?: unknown;
    readonly error?: string;
  };
  readonly databases?: readonly Readonly<Record<string, unknown>>[];
  readonly log?: { readonly lines: readonly string[] };
}

async function diagnose(words: readonly string[]): Promise<{ bundle: Bundle; text: string }> {
  const { code, stdout, stderr } = await sluice(['diagnose', ...words], ENVIRONMENT);
  expect(code, stderr).toBe(0);
  return { bundle: JSON.parse(stdout) as Bundle, text: stdout + stderr };
}

/** A configuration with a secret in every place where one can be written. */
async function configuration(folder: string, more = ''): Promise<string> {
  const endpoint = await closedEndpoint();
  return `# ${CANARY}-comment
exec: node server.js --token ${CANARY}-exec
secret-access-key: ${CANARY}-top
heartbeat: { url: https://hc.example/${CANARY}-heartbeat }
notify: [{ url: https://hooks.example/${CANARY}-hook, template: '${CANARY}-template', headers: { authorization: ${CANARY}-header } }]
page: { token: ${CANARY}-page-token-of-32-characters, hosts: [backup.example] }
snapshot: { interval: 12h }
${more}
dbs:
  - path: ${path.join(folder, 'app.db')}
    replicas:
      - url: s3://bucket/a?endpoint=${endpoint}&region=r&access-key-id=${CANARY}-id&secret-access-key=${CANARY}-query
      - { type: s3, bucket: other, endpoint: '${endpoint}', region: r, access-key-id: $KEY_ID, secret-access-key: ${CANARY}-key }
      - { type: file, path: ${path.join(folder, 'backup')}, encryption: { recipients: [age1yce5y72ejzvh6cwwctdlj2fz5f3adc7k3wqpkt2guqmvuecyddtswjdyft], identities: [${AGE_KEY}] } }
`;
}

test('the bundle has versions, configuration, files and status, and no secret', async () => {
  const folder = temporaryFolder();
  const database = path.join(folder, 'app.db');
  addRows(database, 3);
  const file = writeFile(folder, 'sluice.yml', await configuration(folder));
  const log = writeFile(
    folder,
    'log',
    `first\nsecret ${CANARY}-query in a line\n${AGE_KEY}\nlast\n`,
  );
  const { bundle, text } = await diagnose(['-config', file, '-log', log]);
  expect(text).not.toContain(CANARY);
  expect(text).not.toContain(AGE_KEY.slice(0, 30));
  expect(bundle.versions).toMatchObject({ node: process.versions.node, zod: expect.any(String) });
  expect(bundle.variables).toEqual(['AWS_SECRET_ACCESS_KEY', 'SLUICE_CONFIG']);
  expect(bundle.configuration).toMatchObject({
    file,
    content: {
      page: { hosts: ['backup.example'] },
      snapshot: { interval: '12h' },
      dbs: [
        {
          path: database,
          replicas: [{ url: 's3://bucket/a' }, { bucket: 'other', 'access-key-id': '$KEY_ID' }, {}],
        },
      ],
    },
  });
  expect(bundle.databases).toMatchObject([
    {
      path: database,
      files: [{ file: database, size: fs.statSync(database).size }, {}, {}],
      disk: { free: expect.any(Number) },
      status: {
        destinations: [{ name: 's3', state: 'REPLICA_UNAVAILABLE' }, {}, { name: 'file' }],
      },
    },
  ]);
  expect(bundle.log?.lines).toEqual(['first', 'secret [redacted] in a line', '[redacted]', 'last']);
});

test('an invalid configuration is named, and its unknown keys are not shown', async () => {
  const folder = temporaryFolder();
  const more = `secret-acces-key: ${CANARY}-misspelled\n${CANARY}-as-a-key: 1`;
  const file = writeFile(folder, 'sluice.yml', await configuration(folder, more));
  const { bundle, text } = await diagnose(['-config', file]);
  expect(bundle.configuration.error).toContain('secret-acces-key');
  expect(JSON.stringify(bundle.configuration.content)).not.toContain(CANARY);
  expect(text.replaceAll(bundle.configuration.error ?? '', '')).not.toContain(
    `${CANARY}-misspelled`,
  );
  expect(text).not.toContain(`${CANARY}-misspelled`);
});

test.each([
  ['no configuration', 'missing.yml', undefined],
  ['no YAML', 'sluice.yml', `{ ${CANARY}: [`],
])('with %s there is still a bundle', async (_, name, text) => {
  const folder = temporaryFolder();
  if (text !== undefined) writeFile(folder, name, text);
  const { bundle } = await diagnose(['-config', path.join(folder, name)]);
  expect(bundle.configuration.error).toContain(name);
  expect(JSON.stringify(bundle.configuration.content ?? '')).not.toContain(CANARY);
  expect(bundle.versions).toHaveProperty('sqlite');
});

test('-o writes a file that only its owner can read, and replaces none', async () => {
  const folder = temporaryFolder();
  const file = path.join(folder, 'report.json');
  const words = ['diagnose', '-config', path.join(folder, 'none.yml'), '-o', file];
  expect((await sluice(words)).stdout).toContain(`${file} was written`);
  expect(fs.statSync(file).mode & 0o777).toBe(0o600);
  expect(JSON.parse(fs.readFileSync(file, 'utf8'))).toHaveProperty('machine');
  expect(await sluice(words)).toMatchObject({ code: 2, stderr: expect.stringContaining('EEXIST') });
});
