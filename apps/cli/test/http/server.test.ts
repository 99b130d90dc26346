import { once } from 'node:events';
import http from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { parseAddress } from '../../src/http/address.ts';
import { isOwnHost, serveHTTP } from '../../src/http/server.ts';
import { serve, STATUS } from '../support/metrics-scene.ts';

test('/healthz is 200 while the process answers, also with an unhealthy database', async () => {
  const { get } = await serve({ status: () => [{ ...STATUS, healthy: false }] });
  const response = await get('/healthz');
  expect([response.status, await response.text()]).toEqual([200, 'ok\n']);
});

test('/readyz is 503 until every database was opened, and names those that were not', async () => {
  const other = { ...STATUS, path: '/data/other.db' };
  const at = STATUS.at;
  const error = { code: 'DATABASE_BUSY', message: 'it is locked', at };
  let status = { ...other, pageSize: undefined, state: 'failing' as const, error } as typeof STATUS;
  const { get } = await serve({ status: () => [STATUS, status] });
  const first = await get('/readyz');
  const named = [{ path: '/data/other.db', state: 'failing', error: 'it is locked' }];
  expect([first.status, await first.json()]).toEqual([503, { ready: false, databases: named }]);
  status = { ...other, state: 'failing' }; // it was opened, and fails now
  const second = await get('/readyz');
  expect([second.status, await second.json()]).toEqual([200, { ready: true, databases: [] }]);
});

test('/status is 200 while every database is healthy, otherwise 503 with the problems', async () => {
  let status = STATUS;
  const { get } = await serve({ status: () => [STATUS, status] });
  const well = await get('/status');
  expect([well.status, await well.json()]).toMatchObject([200, { healthy: true, late: [] }]);
  const problem = { stage: 'look', message: 'its WAL was last read completely 61 s ago' } as const;
  status = { ...STATUS, healthy: false, problems: [problem] };
  const ill = await get('/status');
  const databases = [{ problems: [] }, { problems: [problem] }];
  expect([ill.status, await ill.json()]).toMatchObject([503, { healthy: false, databases }]);
});

test('/status?max-lag= is 503 if a destination is later than that, although it is healthy', async () => {
  const { get } = await serve();
  expect((await get('/status?max-lag=13s')).status).toBe(200);
  const late = await get('/status?max-lag=12s');
  expect([late.status, await late.json()]).toMatchObject([
    503,
    { healthy: false, late: [{ path: STATUS.path, destination: 'disk', lagSeconds: 12.5 }] },
  ]);
});

test.each(['', '60', 'x', '-5s', '1 m'])('/status?max-lag=%s is 400', async (written) => {
  const { get } = await serve();
  const response = await get(`/status?${new URLSearchParams({ 'max-lag': written }).toString()}`);
  expect(response.status).toBe(400);
  expect(await response.text()).toContain('max-lag must be a duration such as 60s');
});

test('a failed drill makes /status 503 and its database unhealthy', async () => {
  const at = '2026-02-01T12:00:00.000Z';
  const other = { ...STATUS, path: '/data/other.db' };
  const record = { name: 'disk', target: 't', at, result: 'failed', problems: ['bad'] } as const;
  const last = { drills: new Map([['disk', record]]), scrubs: new Map() };
  const results = new Map([['/data/app.db', last]]);
  const { get } = await serve({ status: () => [STATUS, other], results });
  const ill = await get('/status');
  const problems = [{ stage: 'drill', destination: 'disk' }];
  const databases = [
    { healthy: false, problems },
    { healthy: true, problems: [] },
  ];
  expect([ill.status, await ill.json()]).toMatchObject([503, { healthy: false, databases }]);
  const text = await (await get('/metrics')).text();
  expect(text).toContain('sluice_db_healthy{db="/data/app.db"} 0');
  expect(text).toContain('sluice_db_healthy{db="/data/other.db"} 1');
});

test('other paths are 404, other methods 405, and HEAD has no body', async () => {
  const { get } = await serve();
  expect((await get('/')).status).toBe(404);
  expect((await get('/debug/pprof/')).status).toBe(404);
  expect((await get('/metrics', { method: 'POST' })).status).toBe(405);
  for (const path of ['/metrics', '/status', '/healthz', '/readyz']) {
    const head = await get(path, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
  }
});

test('the parts of a long body are made as the client reads them, and no more once it has gone', async () => {
  const part = Buffer.alloc(1024 * 1024, 'x');
  let made = 0;
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  function* parts(): Generator<Buffer, void> {
    try {
      for (; made < 400; made++) yield part;
    } finally {
      end();
    }
  }
  const nothing = (): void => undefined;
  const server = await serveHTTP({
    addr: '127.0.0.1:0',
    routes: { '/long': () => Promise.resolve({ code: 200, type: 'text/plain', body: parts() }) },
    logger: { debug: nothing, info: nothing, warn: nothing, error: nothing },
  });
  onTestFinished(() => server.close());
  const request = http.get(`http://${server.address}/long`);
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  let readBytes = 0;
  for await (const chunk of response) {
    readBytes += (chunk as Buffer).length;
    if (readBytes > 100 * part.length) break; // destroys the connection
  }
  // The sockets of the system hold some megabytes.
  expect(made).toBeLessThan(150);
  await ended;
  expect(made).toBeLessThan(150);
});

test('":port" listens on this machine only, and logs that', async () => {
  const { server, stream } = await serve();
  expect(server.address).toMatch(/^127\.0\.0\.1:\d+$/);
  expect(stream.text).toContain('reachable from this machine only');
  expect(stream.text).not.toContain('WARN');
});

test('an explicit host is used, with a warning if it is reachable from other machines', async () => {
  const { server, stream } = await serve({ addr: '0.0.0.0:0' });
  expect(server.address).toMatch(/^0\.0\.0\.0:/);
  expect(stream.text).toMatch(/level=WARN msg="anyone who can connect to/);
});

test('an address in use is an error', async () => {
  const { server } = await serve();
  await expect(serve({ addr: server.address })).rejects.toThrow(
    /addr .*EADDRINUSE.*; choose another host or port/,
  );
});

/** `fetch` does not let us choose the host. */
function statusWithHost(address: string, host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    http
      .get(`http://${address}/metrics`, { headers: { host } }, (response) => {
        response.resume();
        resolve(response.statusCode);
      })
      .once('error', reject);
  });
}

test('on the loopback interface, a page of another site cannot read anything by DNS rebinding', async () => {
  const { server } = await serve();
  expect(await statusWithHost(server.address, 'evil.example:9090')).toBe(421);
  expect(await statusWithHost(server.address, 'localhost:9090')).toBe(200);
  const open = await serve({ addr: '0.0.0.0:0' });
  expect(await statusWithHost(open.server.address, 'backup.example')).toBe(200);
});

test.each([
  ['localhost', true],
  ['app.localhost:80', true],
  ['127.0.0.1:9090', true],
  ['[::1]:9090', true],
  [undefined, true],
  ['127.0.0.1.evil.example', false],
  ['notlocalhost', false],
  ['', false],
])('the host %s is of this machine: %s', (host, isOwn) => {
  expect(isOwnHost(host)).toBe(isOwn);
});

test.each([
  [':9090', '127.0.0.1', 9090],
  ['localhost:1', 'localhost', 1],
  ['[::1]:80', '::1', 80],
])('%s', (addr, host, port) => {
  expect(parseAddress(addr)).toEqual({ host, port });
});

test.each(['9090', 'host', ':', ':99999', ':x', 'a:b:1', ''])(
  'the address "%s" is invalid',
  (addr) => {
    expect(parseAddress(addr)).toBeUndefined();
  },
);
