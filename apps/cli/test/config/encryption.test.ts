/** Encryption in the configuration, and the keys of Litestream 0.3. */

import { expect, test } from 'vitest';
import { Secrets } from '../../src/secrets.ts';
import type { EncryptionConfig } from '../../src/config/model.ts';
import { KEYS, OTHER_KEYS, identityFile } from '../support/age.ts';
import { readText } from '../support/configuration.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

const { recipient, identity } = KEYS;

async function encryptionOf(
  keys: string,
  top = '',
  environment: Record<string, string> = {},
): Promise<EncryptionConfig | undefined> {
  const { databases } = await readText(
    `{ dbs: [{ path: /data/app.db, replicas: [{ path: /backup/app, ${keys} }] }], ${top} }`,
    environment,
  );
  return databases[0]?.destinations[0]?.encryption;
}

test('the keys of Litestream 0.3 mean the same', async () => {
  const ours = await encryptionOf(
    `encryption: { recipients: [${recipient}], identities: [${identity}] }`,
  );
  expect(ours).toMatchObject({ recipients: [recipient], identities: [identity] });
  expect(
    await encryptionOf(`age: { recipients: [${recipient}], identities: [${identity}] }`),
  ).toEqual(ours);
  expect(await encryptionOf('age: { recipients: [], identities: [] }')).toBeUndefined();
  expect(await encryptionOf('')).toBeUndefined();
});

test('recipients come from the section and from a file', async () => {
  const file = writeFile(temporaryFolder(), 'keys', `# of the office\n${OTHER_KEYS.recipient}\n\n`);
  const read = await encryptionOf(
    `encryption: { recipients: [${recipient}], recipients-file: ${file} }`,
  );
  expect(read?.recipients).toEqual([recipient, OTHER_KEYS.recipient]);
});

test('identities come from the environment too, and are never printed', async () => {
  const secrets = new Secrets();
  const file = writeFile(temporaryFolder(), 'key.txt', identityFile(KEYS));
  const environment = { SLUICE_AGE_IDENTITY_FILE: file };
  const section = `{ recipients: [${recipient}], identities: [${OTHER_KEYS.identity}] }`;
  const text = `dbs: [{ path: /data/app.db, replica: { path: /backup/app, encryption: ${section} } }]`;
  const { databases } = await readText(text, environment, secrets);
  expect(databases[0]?.destinations[0]?.encryption?.identities).toEqual([
    OTHER_KEYS.identity,
    identity,
  ]);
  for (const secret of [identity, OTHER_KEYS.identity]) {
    expect(secrets.clean(`it is ${secret}`)).not.toContain(secret);
  }
});

test('the top level has the default of all destinations', async () => {
  const top = `encryption: { recipients: [${recipient}] }`;
  expect((await encryptionOf('', top))?.recipients).toEqual([recipient]);
  const own = await encryptionOf(`encryption: { recipients: [${OTHER_KEYS.recipient}] }`, top);
  expect(own?.recipients).toEqual([OTHER_KEYS.recipient]);
});

test.each([
  [
    'encryption: {}',
    /encryption: recipients is missing: without them files would not be encrypted/,
  ],
  ['encryption: { recipients: [] }', /recipients is missing/],
  [`encryption: { identities: [${identity}] }`, /recipients is missing/],
  ['encryption: { recipients: age1x }', /must be a list of keys/],
  ['encryption: { recipients: [age1x] }', /"age1x" is not an age recipient/],
  [`encryption: { recipients: [${recipient.slice(0, -1)}x] }`, /is not an age recipient/],
  [
    'encryption: { recipients: ["ssh-ed25519 AAAA me"] }',
    /ssh-ed25519 keys are not supported.*age-keygen/,
  ],
  [`encryption: { recipients: [${recipient}], recipient: x }`, /recipient is not a key/],
  [
    `encryption: { recipients: [${recipient}], recipients-file: /no/such }`,
    /\/no\/such.*check the path/,
  ],
  [
    `encryption: { recipients: [${recipient}] }, age: { recipients: [${recipient}] }`,
    /age and encryption cannot be used together/,
  ],
])('%s is refused', async (keys, message) => {
  await expect(encryptionOf(keys)).rejects.toMatchObject({ code: 'CONFIG_INVALID', message });
});

test.each([
  `encryption: { recipients: [${identity}] }`,
  `encryption: { recipients: ["${identity.toLowerCase()}"] }`,
  `encryption: { recipients: [${recipient}], recipients-file: ${identity} }`,
  `encryption: { recipients: [${recipient}], ${identity}: x }`,
])('a private key in the wrong place is not shown: %#', async (keys) => {
  const error: unknown = await encryptionOf(keys).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
  const shown = new Secrets().clean(String(error));
  expect(shown.toUpperCase()).not.toContain(identity.slice(20));
});
