import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test, vi } from 'vitest';
import type { DatabaseStatus } from '@sluice/core';
import { secret } from '@sluice/core/backend';
import type { NotifySettings } from '../../src/config/fields/notify.ts';
import { createLogger } from '../../src/log.ts';
import { Heartbeat } from '../../src/notifying/heartbeat.ts';
import { Notifier } from '../../src/notifying/notifier.ts';
import { HealthWatch } from '../../src/notifying/watch-health.ts';
import { Secrets } from '../../src/secrets.ts';
import { STATUS } from '../support/metrics-scene.ts';
import { Receiver } from '../support/receiver.ts';
import { Capture } from '../support/shell.ts';

const NEVER = new AbortController().signal;
const WELL: DatabaseStatus = STATUS;
const ILL: DatabaseStatus = {
  ...STATUS,
  healthy: false,
  problems: [
    { stage: 'send', destination: 'disk', message: 'disk has failed: key hunter22 is bad' },
  ],
};

function scene() {
  const stream = new Capture();
  const secrets = new Secrets();
  secrets.add('hunter22');
  const logger = createLogger({ level: 'info', type: 'text', stream, secrets });
  return { stream, secrets, logger };
}

function target(receiver: Receiver, more: Partial<NotifySettings> = {}): NotifySettings {
  const url = secret(`${receiver.origin}/hook`);
  return { url, on: ['unhealthy', 'healthy'], template: undefined, headers: {}, ...more };
}

test('a heartbeat is sent at intervals while all is healthy, and none otherwise', async () => {
  const receiver = await Receiver.start();
  const url = secret(`${receiver.origin}/ping/abc`);
  const heartbeat = new Heartbeat({ url, intervalMs: 60_000 }, scene().logger);
  await heartbeat.tick('all healthy', 0, NEVER);
  await heartbeat.tick('all healthy', 59_999, NEVER);
  await heartbeat.tick('not healthy', 60_000, NEVER);
  expect(receiver.requests.length).toBe(1);
  await heartbeat.tick('all healthy', 61_000, NEVER);
  expect(receiver.requests).toMatchObject([
    { method: 'GET', path: '/ping/abc' },
    { method: 'GET', path: '/ping/abc' },
  ]);
});

test('a heartbeat that fails is logged once, without its URL, until one succeeds', async () => {
  const receiver = await Receiver.start();
  const { stream, logger } = scene();
  const url = secret(`${receiver.origin}/ping/abc`);
  const heartbeat = new Heartbeat({ url, intervalMs: 1 }, logger);
  receiver.answer = 500;
  for (const now of [0, 10, 20]) await heartbeat.tick('all healthy', now, NEVER);
  expect(receiver.requests.length).toBe(3);
  expect(stream.text.match(/level=WARN/g)?.length).toBe(1);
  expect(stream.text).toContain(`a heartbeat to ${receiver.origin} failed: the answer is 500`);
  expect(stream.text).not.toContain('/ping/abc');
  receiver.answer = 200;
  await heartbeat.tick('all healthy', 30, NEVER);
  expect(stream.text).toContain(`heartbeats reach ${receiver.origin} again`);
});

test('a notification is sent when a database becomes unhealthy, and when it is healthy again', async () => {
  const receiver = await Receiver.start();
  const notifier = new Notifier(target(receiver), scene());
  await notifier.tick([WELL], 0, NEVER);
  await notifier.tick([ILL], 10_000, NEVER);
  await notifier.tick([ILL], 50_000, NEVER);
  await notifier.tick([WELL], 60_000, NEVER);
  await notifier.tick([WELL], 100_000, NEVER);
  expect(receiver.requests.map(({ method, headers }) => [method, headers['content-type']])).toEqual(
    [
      ['POST', 'application/json'],
      ['POST', 'application/json'],
    ],
  );
  const problems = ['disk has failed: key [redacted] is bad'];
  expect(receiver.requests.map(({ body }) => JSON.parse(body) as unknown)).toMatchObject([
    { event: 'unhealthy', databases: [{ path: '/data/app.db', problems }], more: 0 },
    { event: 'healthy', databases: [{ path: '/data/app.db', problems: [] }] },
  ]);
  expect(receiver.requests.map(({ body }) => body).join()).not.toContain('hunter22');
});

test('changes within a pause are sent together, or not at all if they are over', async () => {
  const receiver = await Receiver.start();
  const notifier = new Notifier(target(receiver), scene());
  const other = { ...ILL, path: '/data/other.db' };
  await notifier.tick([ILL, { ...WELL, path: '/data/other.db' }], 0, NEVER);
  await notifier.tick([WELL, other], 5_000, NEVER);
  await notifier.tick([ILL, other], 30_000, NEVER);
  const paths = receiver.requests.map(({ body }) =>
    (JSON.parse(body) as { databases: { path: string }[] }).databases.map(({ path }) => path),
  );
  expect(paths).toEqual([['/data/app.db'], ['/data/other.db']]);
});

test('a notification that fails is tried again after growing pauses, as long as it is true', async () => {
  const receiver = await Receiver.start();
  const { stream, ...context } = scene();
  const notifier = new Notifier(target(receiver), context);
  receiver.answer = 302; // a POST must not follow it
  for (const now of [0, 29_999, 30_000, 60_000, 89_999, 90_000]) {
    await notifier.tick([ILL], now, NEVER);
  }
  expect(receiver.requests.map(({ path }) => path)).toEqual(['/hook', '/hook', '/hook']);
  expect(stream.text.match(/level=WARN/g)?.length).toBe(1);
  receiver.answer = 200;
  await notifier.tick([WELL], 1_000_000, NEVER); // nobody has to know any more
  expect(receiver.requests.length).toBe(3);
});

test('a template, headers and the wanted events are obeyed', async () => {
  const receiver = await Receiver.start();
  const settings = target(receiver, {
    on: ['unhealthy'],
    template: '{{count}} {{event}}: {{databases}}',
    headers: { Title: secret('Backup of {{databases}}\n…'), Authorization: secret('Bearer t0ken') },
  });
  const notifier = new Notifier(settings, scene());
  await notifier.tick([ILL], 0, NEVER);
  await notifier.tick([WELL], 60_000, NEVER);
  expect(receiver.requests).toMatchObject([
    {
      body: '1 unhealthy: /data/app.db',
      headers: {
        'content-type': 'text/plain; charset=utf-8',
        title: 'Backup of /data/app.db ?',
        authorization: 'Bearer t0ken',
      },
    },
  ]);
});

test('a target that does not answer delays neither the heartbeat nor another target', async () => {
  const [silent, other, pings] = [
    await Receiver.start(),
    await Receiver.start(),
    await Receiver.start(),
  ];
  silent.answer = undefined;
  let status = WELL;
  let looks = 0;
  const watch = new HealthWatch({
    ...scene(),
    heartbeat: { url: secret(`${pings.origin}/p`), intervalMs: 1 },
    notify: [target(silent), target(other)],
    health: () => {
      looks += 1;
      return Promise.resolve([status]);
    },
    lookMs: 5,
  });
  onTestFinished(() => watch.close());
  await pings.until(2);
  status = ILL;
  await Promise.all([silent.until(1), other.until(1)]);
  const before = looks;
  await vi.waitFor(() => expect(looks).toBeGreaterThan(before + 5), 60_000);
  const count = pings.requests.length;
  status = WELL;
  await pings.until(count + 3);
  expect(silent.requests.length).toBe(1);
  await watch.close(); // does not wait for the silent one
});

test('a database that was not opened yet is not well', async () => {
  const pings = await Receiver.start();
  let status: DatabaseStatus = { ...WELL, pageSize: undefined, state: 'opening' };
  let looks = 0;
  const looked = Promise.withResolvers<void>();
  const watch = new HealthWatch({
    ...scene(),
    heartbeat: { url: secret(`${pings.origin}/p`), intervalMs: 1 },
    notify: [],
    health: () => {
      looks += 1;
      if (looks > 3) looked.resolve();
      return Promise.resolve([status]);
    },
    lookMs: 1,
  });
  onTestFinished(() => watch.close());
  await looked.promise;
  await sleep(0);
  expect(pings.requests.length).toBe(0);
  status = WELL;
  await pings.until(1);
});
