import { expect, test } from 'vitest';
import { createDashboard } from '../src/index.ts';
import type { Tick } from '../src/feed.ts';
import { AT, BEARER, errorOf, mount, TOKEN } from './support/mount.ts';

// --- the page ---

test('serves the page with a policy that allows nothing inline and nothing from elsewhere', async () => {
  const { get } = mount();
  const response = await get('/');
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
  const policy = response.headers.get('content-security-policy') ?? '';
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("script-src 'self'");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).not.toMatch(/unsafe|\*|data:|https?:/);
  const html = await response.text();
  expect(html).not.toMatch(/<style|style=|<script(?![^>]*\ssrc=)|\son\w+=|https?:\/\//);
  expect(response.headers.get('cache-control')).toBe('no-cache');
});

test('assets have hashed names and are kept for ever; every answer has the security headers', async () => {
  const { get } = mount();
  const html = await (await get('/')).text();
  const names = [...html.matchAll(/(?:src|href)="\.\/(page\/[^"]+)"/g)].map(([, name]) => name);
  expect(names.length).toBeGreaterThanOrEqual(3);
  for (const name of names) {
    expect(name).toMatch(/-[\w-]{8}\.(js|css|svg)$/);
    const asset = await get(`/${name}`, { 'accept-encoding': 'br, gzip' });
    expect(asset.status, name).toBe(200);
    expect(asset.headers.get('cache-control')).toContain('immutable');
    expect(asset.headers.get('content-encoding')).toBe('gzip');
    const tag = asset.headers.get('etag') ?? '';
    expect((await get(`/${name}`, { 'if-none-match': tag })).status).toBe(304);
  }
  for (const path of ['/', '/page/none.js', '/api/none', '/api/status', `/${names[0]}`]) {
    const { headers } = await get(path);
    expect(headers.get('x-content-type-options'), path).toBe('nosniff');
    expect(headers.get('content-security-policy'), path).toContain("default-src 'none'");
  }
});

test('unknown paths: 404 below /page and /api, and undefined elsewhere', async () => {
  const { get, handler } = mount();
  expect((await get('/page/..%2f..%2fpackage.json')).status).toBe(404);
  expect((await get('/page/%2e%2e%2findex.html')).status).toBe(404);
  expect((await get('/api/none')).status).toBe(404);
  expect(await handler(new Request(`${AT}/metrics`))).toBeUndefined();
  expect(await handler(new Request(`${AT}/apis`))).toBeUndefined();
});

test('HEAD has the headers of GET and no body; other methods are refused', async () => {
  const { handler } = mount();
  for (const path of ['/', '/api/status', '/api/events']) {
    const response = await handler(new Request(`${AT}${path}`, { method: 'HEAD' }));
    expect(response?.status, path).toBe(200);
    expect(response?.body, path).toBeNull();
  }
  const put = await handler(new Request(`${AT}/api/status`, { method: 'PUT' }));
  expect(put?.status).toBe(405);
  expect(put?.headers.get('allow')).toBe('GET');
  const posted = await handler(new Request(`${AT}/`, { method: 'POST' }));
  expect(posted?.status).toBe(405);
});

test('a base path is part of every address, and its root ends with a slash', async () => {
  const { get, handler } = mount({ basePath: '/ops/sluice/' });
  const moved = await get('/ops/sluice');
  expect([moved.status, moved.headers.get('location')]).toEqual([308, '/ops/sluice/']);
  expect((await get('/ops/sluice/')).status).toBe(200);
  expect((await get('/ops/sluice/api/status')).status).toBe(200);
  expect(await handler(new Request(`${AT}/api/status`))).toBeUndefined();
  expect(await handler(new Request(`${AT}/ops/sluices/api/status`))).toBeUndefined();
});

// --- reading ---

test('answers with rows, details, samples, history and plans', async () => {
  const { get, source } = mount();
  const tick = (await (await get('/api/status')).json()) as Tick;
  expect(tick.rows.map(({ path }) => path)).toEqual(['/data/app.db', '/data/b.db']);
  const query = `db=${encodeURIComponent('/data/app.db')}`;
  const details = (await (await get(`/api/database?${query}`)).json()) as { status: object };
  expect(details.status).toMatchObject({ path: '/data/app.db', commitsSeen: 71_204 });
  expect((await get('/api/database?db=/none')).status).toBe(404);
  expect((await get('/api/database')).status).toBe(400);
  expect((await get(`/api/samples?${query}`)).status).toBe(200);
  expect((await get(`/api/history?${query}`)).status).toBe(200);
  await get(`/api/plan?${query}`);
  await get(`/api/plan?${query}&at=2026-01-31T12:00:00%2B01:00`);
  await get(`/api/plan?${query}&txid=000000000000002a`);
  expect(source.planned).toEqual([
    { kind: 'latest' },
    { kind: 'timestamp', at: '2026-01-31T11:00:00.000Z' },
    { kind: 'txid', txid: '000000000000002a' },
  ]);
  expect((await get(`/api/plan?${query}&at=yesterday`)).status).toBe(400);
  expect((await get(`/api/plan?${query}&txid=2a`)).status).toBe(400);
});

test('refuses a name that another site can point here (DNS rebinding)', async () => {
  const { source } = mount();
  const evil = mount({}, 'http://evil.example:9090');
  const refused = await evil.get('/api/status');
  expect(refused.status).toBe(403);
  expect(await errorOf(refused)).toContain('evil.example');
  for (const name of ['localhost', '127.0.0.1', '[::1]', '192.168.1.4', 'sluice.localhost']) {
    expect((await mount({}, `http://${name}:9090`).get('/api/status')).status, name).toBe(200);
  }
  const known = mount({ hosts: ['Ops.Example'] }, 'http://ops.example');
  expect((await known.get('/api/status')).status).toBe(200);
  // The header counts, as a server passes it.
  const handler = createDashboard(source);
  const headers = { host: 'evil.example' };
  expect((await handler(new Request(`${AT}/api/status`, { headers })))?.status).toBe(403);
  const withToken = mount({ token: TOKEN }, 'http://evil.example');
  expect((await withToken.get('/api/status')).status).toBe(403);
  expect((await withToken.get('/api/status', BEARER)).status).toBe(200);
});

test('with readers: token, nothing is read without it', async () => {
  const { get } = mount({ token: TOKEN, readers: 'token' });
  for (const path of ['/api/status', '/api/events', '/api/history?db=/data/app.db']) {
    expect((await get(path)).status, path).toBe(403);
  }
  expect((await get('/')).status).toBe(200); // the form to sign in
  expect(await (await get('/api/session')).json()).toMatchObject({
    mayRead: false,
    hasToken: true,
  });
  expect((await get('/api/status', BEARER)).status).toBe(200);
  expect((await get('/api/status', { authorization: 'Bearer wrong' })).status).toBe(403);
});
