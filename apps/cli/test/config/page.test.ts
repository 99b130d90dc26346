import { expect, test } from 'vitest';
import { Secrets } from '../../src/secrets.ts';
import { readText } from '../support/configuration.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

const DBS = 'dbs: [{ path: /d, replica: { path: /b } }]\n';
const TOKEN = '5d41402abc4b2a76b9719d911017c592';

test('without a section, the page has no token', async () => {
  const { page } = await readText(DBS);
  expect(page).toEqual({ enabled: undefined, token: undefined, hosts: [] });
});

test('the token is a secret, from the configuration or from a file', async () => {
  const secrets = new Secrets();
  const inline = await readText(
    `page: { token: ${TOKEN}, hosts: [ops.example] }\n${DBS}`,
    {},
    secrets,
  );
  expect(inline.page).toEqual({ enabled: undefined, token: TOKEN, hosts: ['ops.example'] });
  expect(secrets.clean(`x ${TOKEN}`)).toBe('x [redacted]');
  const file = writeFile(temporaryFolder(), 'token', `${TOKEN}\n`);
  expect((await readText(`page: { token-file: ${file} }\n${DBS}`)).page.token).toBe(TOKEN);
});

test.each([
  ['page: { token: short }', /at least 16 characters/],
  [`page: { token: ${TOKEN}, token-file: /t }`, /choose one/],
  ['page: { token-file: /nowhere/token }', /page\.token-file/],
  ['page: { tokn: x }', /did you mean token/],
])('%s is refused', async (text, message) => {
  await expect(readText(`${text}\n${DBS}`)).rejects.toThrow(message);
});

test('a short token in a file is refused without being printed', async () => {
  const file = writeFile(temporaryFolder(), 'token', 'hunter2');
  const reading = readText(`page: { token-file: ${file} }\n${DBS}`);
  await expect(reading).rejects.toThrow(/at least 16 characters/);
  await expect(reading).rejects.not.toThrow(/hunter2/);
});
