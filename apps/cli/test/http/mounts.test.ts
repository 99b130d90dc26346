import { expect, test } from 'vitest';
import { serve } from '../support/metrics-scene.ts';

test('mounts are asked in order for the paths that are not our own', async () => {
  const asked: string[] = [];
  const { get } = await serve({
    mounts: [
      (request) => {
        asked.push(`first ${new URL(request.url).pathname}`);
        return Promise.resolve(undefined);
      },
      (request) => {
        const { pathname } = new URL(request.url);
        asked.push(`second ${pathname}`);
        if (pathname !== '/page') return Promise.resolve(undefined);
        return Promise.resolve(new Response('hello', { headers: { 'x-more': '1' } }));
      },
    ],
  });
  const page = await get('/page?x=1');
  expect([page.status, page.headers.get('x-more'), await page.text()]).toEqual([200, '1', 'hello']);
  expect((await get('/other')).status).toBe(404);
  expect((await get('/healthz')).status).toBe(200);
  expect(asked).toEqual(['first /page', 'second /page', 'first /other', 'second /other']);
});

test('a mount gets the method, the headers and the body of the request', async () => {
  const { get, server } = await serve({
    mounts: [
      async (request) => {
        const { method, url, headers } = request;
        const body = await request.text();
        return Response.json(
          { method, url, token: headers.get('authorization'), body },
          { status: 201 },
        );
      },
    ],
  });
  const headers = { authorization: 'Bearer t' };
  const response = await get('/api/drill?db=a', { method: 'POST', body: 'the body', headers });
  expect([response.status, await response.json()]).toEqual([
    201,
    {
      method: 'POST',
      url: `http://${server.address}/api/drill?db=a`,
      token: 'Bearer t',
      body: 'the body',
    },
  ]);
});

test('a stream arrives chunk by chunk, and is canceled when the client leaves', async () => {
  const canceled = Promise.withResolvers<void>();
  const aborted = Promise.withResolvers<void>();
  let more: ReadableStreamDefaultController<Uint8Array> | undefined;
  const { get } = await serve({
    mounts: [
      (request) => {
        request.signal.addEventListener('abort', () => aborted.resolve());
        const body = new ReadableStream<Uint8Array>({
          start: (controller) => void (more = controller),
          cancel: () => canceled.resolve(),
        });
        return Promise.resolve(
          new Response(body, { headers: { 'content-type': 'text/event-stream' } }),
        );
      },
    ],
  });
  const leave = new AbortController();
  const response = await get('/api/events', { signal: leave.signal }); // the headers come before any event
  const reader = response.body?.getReader();
  for (const text of ['one', 'two']) {
    more?.enqueue(new TextEncoder().encode(text));
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe(text);
  }
  leave.abort();
  await Promise.all([canceled.promise, aborted.promise]);
});

test('closing the server ends a stream and aborts its request', async () => {
  const aborted = Promise.withResolvers<void>();
  const { get, server } = await serve({
    mounts: [
      (request) => {
        request.signal.addEventListener('abort', () => aborted.resolve());
        return Promise.resolve(new Response(new ReadableStream()));
      },
    ],
  });
  const response = await get('/api/events');
  const ended = response.text().catch(() => 'ended');
  await server.close();
  await aborted.promise;
  expect(await ended).toBe('ended');
});

test('a mount that throws is a 500 and a log line, and the server goes on', async () => {
  const { get, stream } = await serve({
    mounts: [() => Promise.reject(new Error('broken page'))],
  });
  expect((await get('/')).status).toBe(500);
  expect(stream.text).toContain('broken page');
  expect((await get('/metrics')).status).toBe(200);
});

test('HEAD gets the headers of a mount and no body, and its cookies stay apart', async () => {
  const { get } = await serve({
    mounts: [
      () => {
        const headers = new Headers({ 'x-more': '1' });
        headers.append('set-cookie', 'a=1');
        headers.append('set-cookie', 'b=2');
        return Promise.resolve(new Response('body', { headers }));
      },
    ],
  });
  const response = await get('/', { method: 'HEAD' });
  expect([await response.text(), response.headers.getSetCookie()]).toEqual(['', ['a=1', 'b=2']]);
});
