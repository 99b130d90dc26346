import { expect, test } from 'vitest';
import { AT, BEARER, mount, TOKEN } from './support/mount.ts';

const ORDER = { db: '/data/app.db', output: '/tmp/out.db' };

test('without a token nothing can be changed', async () => {
  const { post, source } = mount();
  for (const headers of [{}, BEARER, { origin: AT }] as Record<string, string>[]) {
    expect((await post('/api/restore', ORDER, headers)).status).toBe(403);
    expect((await post('/api/download', ORDER, headers)).status).toBe(403);
  }
  expect((await post('/api/session', { token: '' })).status).toBe(403);
  expect(source.restored).toEqual([]);
});

test('the token restores, by header', async () => {
  const { post, source } = mount({ token: TOKEN });
  const response = await post('/api/restore', { ...ORDER, at: '2026-01-31T12:00:00Z' }, BEARER);
  expect(response.status).toBe(200);
  const lines = (await response.text()).trim().split('\n');
  expect(lines.map((line) => JSON.parse(line) as object)).toEqual([
    { doneBytes: 10, totalBytes: 20 },
    {
      restored: {
        output: '/tmp/out.db',
        txid: '000000000000002a',
        bytesRead: 20,
        durationMs: 1_200,
      },
    },
  ]);
  expect(source.restored[0]).toMatchObject({
    database: '/data/app.db',
    target: { kind: 'timestamp', at: '2026-01-31T12:00:00.000Z' },
  });
  expect((await post('/api/restore', { db: '/a', output: 'relative.db' }, BEARER)).status).toBe(
    400,
  );
  expect((await post('/api/restore', { db: '/a' }, BEARER)).status).toBe(400);
  const large = { ...ORDER, more: 'x'.repeat(20_000) };
  expect((await post('/api/restore', large, BEARER)).status).toBe(400);
});

test('a session: the token begins it, a cookie that scripts cannot read continues it', async () => {
  const { get, post, source } = mount({ token: TOKEN });
  expect((await post('/api/session', { token: `${TOKEN}x` }, { origin: AT })).status).toBe(401);
  const begun = await post('/api/session', { token: TOKEN }, { origin: AT });
  const cookie = begun.headers.get('set-cookie') ?? '';
  expect(cookie).toMatch(
    /^sluice_session=\d+\.[0-9a-f]{64}; Max-Age=43200; Path=\/; HttpOnly; SameSite=Strict$/,
  );
  expect(cookie).not.toContain(TOKEN);
  const headers = { cookie: cookie.split(';')[0] ?? '' };
  expect(await (await get('/api/session', headers)).json()).toMatchObject({ mayChange: true });
  expect((await post('/api/restore', ORDER, { ...headers, origin: AT })).status).toBe(200);
  // Of a client that hides where it comes from, a cookie proves nothing.
  expect((await post('/api/restore', ORDER, headers)).status).toBe(403);
  const forged = {
    cookie: headers.cookie.replace(/.$/, (last) => (last === '0' ? '1' : '0')),
    origin: AT,
  };
  expect((await post('/api/restore', ORDER, forged)).status).toBe(403);
  const later = { cookie: headers.cookie.replace(/=\d/, '=9'), origin: AT };
  expect((await post('/api/restore', ORDER, later)).status).toBe(403);
  expect(source.restored).toHaveLength(1);
  const ended = await post('/api/session', { end: '1' }, { ...headers, origin: AT });
  expect(ended.headers.get('set-cookie')).toContain('Max-Age=0');
  // Another process does not know the session.
  const other = mount({ token: TOKEN });
  expect((await other.post('/api/restore', ORDER, { ...headers, origin: AT })).status).toBe(403);
});

test('a request of another site is refused, even with the cookie or the token', async () => {
  const { post, source } = mount({ token: TOKEN });
  const begun = await post('/api/session', { token: TOKEN });
  const cookie = begun.headers.get('set-cookie')?.split(';')[0] ?? '';
  const foreign: Record<string, string>[] = [
    { cookie, origin: 'https://evil.example' },
    { cookie, origin: 'null' },
    { cookie, origin: 'http://127.0.0.1:9091' },
    { cookie, 'sec-fetch-site': 'cross-site' },
    { cookie, 'sec-fetch-site': 'same-site', origin: AT },
    { ...BEARER, origin: 'https://evil.example' },
  ];
  for (const headers of foreign) {
    for (const path of ['/api/restore', '/api/download', '/api/session']) {
      expect(
        (await post(path, { ...ORDER, token: TOKEN }, headers)).status,
        JSON.stringify(headers),
      ).toBe(403);
    }
  }
  expect(source.restored).toEqual([]);
  expect(
    (await post('/api/restore', ORDER, { cookie, 'sec-fetch-site': 'same-origin' })).status,
  ).toBe(200);
});

test('a session over https has a cookie that is never sent without', async () => {
  const { post } = mount({ token: TOKEN, basePath: '/ops' }, 'https://127.0.0.1');
  const begun = await post('/ops/api/session', { token: TOKEN });
  expect(begun.headers.get('set-cookie')).toMatch(/Path=\/ops; HttpOnly; SameSite=Strict; Secure$/);
});

test('a download is a file with a harmless name', async () => {
  const { post } = mount({ token: TOKEN });
  const response = await post('/api/download', { db: '/data/a"b\r\n.db' }, BEARER);
  expect(response.headers.get('content-disposition')).toBe('attachment; filename="a_b__.db"');
  expect(response.headers.get('content-length')).toBe('16');
  expect(await response.text()).toBe('SQLite format 3\0');
});

test('one restore at a time', async () => {
  const { post, source } = mount({ token: TOKEN });
  const held = Promise.withResolvers<never>();
  source.restore = async () => await held.promise;
  const first = await post('/api/restore', ORDER, BEARER);
  expect((await post('/api/restore', ORDER, BEARER)).status).toBe(409);
  held.reject(new Error('disk full'));
  expect(await first.text()).toContain('disk full');
  expect((await post('/api/download', ORDER, BEARER)).status).toBe(200);
});
