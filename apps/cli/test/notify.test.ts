/** When a service manager is told what. test/interop/packaging/notify.test.ts has the real program and process. */

import fs from 'node:fs';
import path from 'node:path';
import type { DatabaseStatus } from '@sluice/core';
import type { Logger } from '@sluice/core/backend';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { notifyServiceManager, type ServiceNotifier } from '../src/daemon/notify.ts';
import { Secrets } from '../src/secrets.ts';
import { temporaryFolder } from './support/temporary.ts';

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => void vi.useRealTimers());

/** A stand-in for systemd-notify that writes its words to a file. */
class Scene {
  readonly #file = path.join(temporaryFolder(), 'messages');
  readonly #stop = new AbortController();
  readonly secrets = new Secrets();
  readonly notifier: ServiceNotifier;
  health: Pick<DatabaseStatus, 'state' | 'healthy' | 'problems'>;

  constructor(environment: Readonly<Record<string, string>> = {}) {
    this.health = { state: 'following', healthy: true, problems: [] };
    const folder = path.dirname(this.#file);
    const program = `#!/bin/sh\nIFS='|'; printf '%s\\n' "$*" >>'${this.#file}'\n`;
    fs.writeFileSync(path.join(folder, 'systemd-notify'), program, { mode: 0o755 });
    const notifier = notifyServiceManager({
      shell: {
        environment: { PATH: folder, NOTIFY_SOCKET: '/nowhere', ...environment },
        secrets: this.secrets,
      },
      status: () => [{ path: '/data/app.db', ...this.health } as DatabaseStatus],
      stop: this.#stop.signal,
      logger: silent,
    });
    if (notifier === undefined) throw new Error('there is a NOTIFY_SOCKET');
    this.notifier = notifier;
  }

  stop(): void {
    this.#stop.abort();
  }

  /** All messages, when the last one is sent. */
  async messages(): Promise<string[]> {
    await this.notifier.close();
    return fs.readFileSync(this.#file, 'utf8').trimEnd().split('\n');
  }
}

const EXTEND = 'EXTEND_TIMEOUT_USEC=60000000';

test('without a socket there is no notifier', () => {
  const shell = { environment: { NOTIFY_SOCKET: '' }, secrets: new Secrets() };
  const stop = new AbortController().signal;
  expect(notifyServiceManager({ shell, status: () => [], stop, logger: silent })).toBeUndefined();
});

test('while databases are restored, it asks for more time, often enough', async () => {
  const scene = new Scene();
  vi.advanceTimersByTime(65_000);
  scene.notifier.restored();
  const ready = 'READY=1|STATUS=1 database: healthy';
  const waiting = `${EXTEND}|STATUS=opening the databases`;
  expect(await scene.messages()).toEqual([waiting, waiting, waiting, waiting, ready]);
});

test('a database that is still being opened holds READY back, a failing one does not', async () => {
  const scene = new Scene();
  scene.health = { ...scene.health, state: 'opening' };
  scene.notifier.restored();
  vi.advanceTimersByTime(5_000);
  scene.health = { state: 'failing', healthy: false, problems: [] };
  vi.advanceTimersByTime(1_000);
  expect(await scene.messages()).toEqual([
    `${EXTEND}|STATUS=opening the databases`,
    'READY=1|STATUS=1 of 1 database not healthy: /data/app.db: failing',
  ]);
});

test('without a watchdog, it says only what has changed', async () => {
  const scene = new Scene();
  scene.notifier.restored();
  vi.advanceTimersByTime(600_000);
  const message = 's3 has failed:\n password-canary';
  scene.secrets.add('password-canary');
  scene.health = { state: 'following', healthy: false, problems: [{ stage: 'send', message }] };
  vi.advanceTimersByTime(600_000);
  expect((await scene.messages()).slice(1)).toEqual([
    'READY=1|STATUS=1 database: healthy',
    'STATUS=1 of 1 database not healthy: /data/app.db: s3 has failed: [redacted]',
  ]);
});

test('with a watchdog, it is alive twice per interval', async () => {
  const scene = new Scene({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: String(process.pid) });
  scene.notifier.restored();
  vi.advanceTimersByTime(60_000);
  const alive = (await scene.messages()).filter((line) => line.startsWith('WATCHDOG=1|'));
  expect(alive).toHaveLength(4);
});

test('a long last sync asks for more time until it ends', async () => {
  const scene = new Scene();
  scene.notifier.restored();
  scene.stop();
  vi.advanceTimersByTime(1_000);
  scene.notifier.lastSync();
  vi.advanceTimersByTime(90_000);
  const last = `STOPPING=1|${EXTEND}|STATUS=last sync to every destination`;
  const [, , ...ending] = await scene.messages();
  expect(ending).toEqual(['STOPPING=1|STATUS=ending', last, last, last, last, last]);
});
