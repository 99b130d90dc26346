import { expect, test } from 'vitest';
import { Secrets } from '../../src/secrets.ts';
import { readText } from '../support/configuration.ts';

const DBS = 'dbs: [{ path: /d, replica: { path: /b } }]\n';

test("heartbeat.url and Litestream's keys are the same", async () => {
  const url = 'https://hc-ping.com/5b0e6f8e-1234';
  for (const text of [
    `heartbeat: { url: '${url}', interval: 1m }\n`,
    `heartbeat-url: '${url}'\nheartbeat-interval: 1m\n`,
  ]) {
    const { heartbeat, notes } = await readText(text + DBS);
    expect([heartbeat?.url.reveal(), heartbeat?.intervalMs, notes]).toEqual([url, 60_000, []]);
  }
  const { heartbeat } = await readText(`heartbeat-url: '${url}'\n${DBS}`);
  expect(heartbeat?.intervalMs).toBe(300_000);
  expect((await readText(DBS)).heartbeat).toBeUndefined();
});

test('a target of notify has a URL, and may have events, a template and headers', async () => {
  const text = `notify:
- url: https://ntfy.sh/backups
  on: [unhealthy]
  template: 'Backup: {{text}}'
  headers: { Title: Backup }
- url: https://hooks.example.com/x
`;
  const { notify = [] } = await readText(text + DBS);
  expect(notify).toMatchObject([
    { on: ['unhealthy'], template: 'Backup: {{text}}' },
    { on: ['unhealthy', 'healthy'], template: undefined, headers: {} },
  ]);
  expect(notify[0]?.headers['Title']?.reveal()).toBe('Backup');
  expect(JSON.stringify(notify)).not.toContain('ntfy.sh');
});

test.each([
  ['notify: {}', 'must be a list'],
  [
    'notify: [{ url: ftp://x/secret-path }]',
    'url must be a URL that begins with http:// or https://',
  ],
  ['notify: [{ on: [unhealthy] }]', 'item 1: url is missing'],
  ['notify: [{ url: "http://x", on: [sad] }]', 'on must be a list of unhealthy and healthy'],
  ['notify: [{ url: "http://x", on: [] }]', 'on must be a list of unhealthy and healthy'],
  [
    'notify: [{ url: "http://x" }, { url: "http://x", template: "{{x}}" }]',
    'item 2: template has the unknown field {{x}}',
  ],
  [
    'notify: [{ url: "http://x", headers: { "a b": c } }]',
    'headers must be a map of names and text',
  ],
  [
    'notify: [{ url: "http://x", headers: { a: "b\\nc" } }]',
    'headers must be a map of names and text',
  ],
  ['notify: [{ url: "http://x", tmpl: y }]', 'tmpl is not a key of notify'],
  [
    'heartbeat: { url: hc-ping.com/secret-path }',
    'must be a URL that begins with http:// or https://',
  ],
  ['heartbeat: { interval: 10ms }', 'the minimum is 1s'],
])('%s is refused', async (text, message) => {
  const reading = readText(`${text}\n${DBS}`);
  await expect(reading).rejects.toThrow(message);
  await expect(reading).rejects.not.toThrow('secret-path');
});

test('the URLs and headers are secrets: they are in no log', async () => {
  const secrets = new Secrets();
  const text = `heartbeat: { url: 'https://hc-ping.com/5b0e6f8e-1234-5678' }
notify: [{ url: 'https://hooks.example.com/services/T0/B0/abcdef', headers: { Authorization: 'Bearer t0ken' } }]
`;
  await readText(text + DBS, {}, secrets);
  const line =
    'GET https://hc-ping.com/5b0e6f8e-1234-5678 /services/T0/B0/abcdef Bearer t0ken hc-ping.com /x';
  expect(secrets.clean(line)).toBe('GET [redacted] [redacted] [redacted] hc-ping.com /x');
});
