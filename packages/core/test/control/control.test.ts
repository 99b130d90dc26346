/** Commands reach the owner of a staging folder through its socket, and only its owner. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { callControl, type ControlCall } from '../../src/control/client.ts';
import { type ControlCommands, ControlServer } from '../../src/control/server.ts';
import { controlFolder, controlSocket } from '../../src/control/socket-path.ts';
import { ReplicationError } from '../../src/error.ts';
import { temporaryFolder } from '../restore/temporary.ts';

const ECHO: ControlCommands = { echo: async (input) => input };

async function serve(metaPath: string, commands: ControlCommands = ECHO): Promise<ControlServer> {
  const server = await ControlServer.listen(metaPath, commands);
  onTestFinished(() => server.close());
  return server;
}

async function call(metaPath: string, rest: Partial<ControlCall> = {}): Promise<unknown> {
  const database = '/data/app.db';
  return await callControl({ database, metaPath, command: 'echo', timeoutMs: 30_000, ...rest });
}

/** Sends text as it is, and returns the reply. */
async function sendText(metaPath: string, text: string): Promise<unknown> {
  const connection = net.connect(controlSocket(metaPath));
  connection.setEncoding('utf8').write(text);
  let reply = '';
  for await (const chunk of connection) reply += String(chunk);
  return JSON.parse(reply);
}

test('a command gets its answer, whatever is in its input', async () => {
  const folder = temporaryFolder();
  await serve(folder);
  for (const input of [{ text: 'two\nlines "ä"' }, [1, null], 'x'.repeat(60_000)]) {
    expect(await call(folder, { input })).toEqual(input);
  }
});

test('many clients are answered at the same time', async () => {
  const folder = temporaryFolder();
  const all = Promise.withResolvers<void>();
  let count = 0;
  await serve(folder, {
    echo: async (input) => {
      if ((count += 1) === 100) all.resolve();
      await all.promise;
      return input;
    },
  });
  const calls = Array.from({ length: 100 }, (_, input) => call(folder, { input }));
  expect(await Promise.all(calls)).toEqual(Array.from({ length: 100 }, (_, n) => n));
});

test('an error arrives with its code, its message and its details', async () => {
  const folder = temporaryFolder();
  const durable = { reason: 'timeout', txid: '1', have: ['a'], lack: [] } as const;
  await serve(folder, {
    echo: async () => {
      throw new ReplicationError('NOT_DURABLE', 'not yet', { durable });
    },
  });
  await expect(call(folder)).rejects.toMatchObject({
    code: 'NOT_DURABLE',
    message: 'not yet',
    durable,
  });
});

test('only the owner may use the socket', async () => {
  const folder = temporaryFolder();
  fs.chmodSync(folder, 0o755);
  await serve(folder);
  expect(fs.statSync(controlFolder(folder)).mode & 0o777).toBe(0o700);
  const { mode } = fs.statSync(controlSocket(folder));
  expect(mode & 0o777).toBe(0o600);
  expect(fs.readdirSync(controlFolder(folder))).toEqual(['socket']);
});

test('without a server the error says what to start', async () => {
  const folder = temporaryFolder();
  const error = {
    code: 'NOT_RUNNING',
    message:
      `send echo to the replicator of /data/app.db: none listens in ${controlFolder(folder)}; ` +
      'start "sluice replicate" with the same configuration (or "sluice start", if "sluice stop" has stopped this ' +
      'database), or use "sluice replicate -once"',
  };
  await expect(call(folder)).rejects.toMatchObject(error);
  await expect(call(path.join(folder, 'missing'))).rejects.toMatchObject({ code: 'NOT_RUNNING' });
  const server = await ControlServer.listen(folder, ECHO);
  expect(await call(folder, { input: 1 })).toBe(1);
  await server.close();
  expect(fs.readdirSync(controlFolder(folder))).toEqual([]);
  await expect(call(folder)).rejects.toMatchObject(error);
});

test('the socket of a killed process is replaced', async () => {
  const folder = temporaryFolder();
  fs.mkdirSync(controlFolder(folder));
  const script = `require('net').createServer().listen(process.argv[1], () => console.log('ready'))`;
  const child = spawn(process.execPath, ['-e', script, controlSocket(folder)]);
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(fs.lstatSync(controlSocket(folder)).isSocket()).toBe(true);
  await expect(call(folder)).rejects.toMatchObject({ code: 'NOT_RUNNING' });
  await serve(folder);
  expect(await call(folder, { input: 'x' })).toBe('x');
});

test('a server that was replaced does not remove the socket of the next one', async () => {
  const folder = temporaryFolder();
  const first = await ControlServer.listen(folder, ECHO);
  await serve(folder, { echo: async () => 'second' });
  await first.close();
  expect(await call(folder)).toBe('second');
});

test('something else with the name of the socket is kept', async () => {
  const folder = temporaryFolder();
  fs.mkdirSync(controlSocket(folder), { recursive: true });
  await expect(ControlServer.listen(folder, ECHO)).rejects.toMatchObject({
    code: 'STAGING_FAILED',
    message: expect.stringContaining('something else has this name') as unknown,
  });
});

test.runIf(process.platform === 'linux')('a path of any length works', async () => {
  const folder = path.join(temporaryFolder(), 'x'.repeat(120), 'y'.repeat(120));
  fs.mkdirSync(folder, { recursive: true });
  const server = await ControlServer.listen(folder, ECHO);
  expect(await call(folder, { input: 'far' })).toBe('far');
  await server.close();
  expect(fs.readdirSync(controlFolder(folder))).toEqual([]);
});

test('a client that gives up aborts its command', async () => {
  const folder = temporaryFolder();
  const [begun, aborted] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  await serve(folder, {
    echo: async (_, signal) => {
      begun.resolve();
      await once(signal, 'abort');
      aborted.resolve();
    },
  });
  const aborting = new AbortController();
  const waiting = call(folder, { signal: aborting.signal });
  const ended = expect(waiting).rejects.toThrow('enough');
  await begun.promise;
  aborting.abort(new Error('enough'));
  await ended;
  await aborted.promise;
});

test('a replicator that does not answer in time is reported', async () => {
  const folder = temporaryFolder();
  await serve(folder, { echo: (_, signal) => once(signal, 'abort') });
  await expect(call(folder, { timeoutMs: 100 })).rejects.toMatchObject({
    code: 'NOT_RUNNING',
    message: expect.stringContaining('did not answer within 0.1 s') as unknown,
  });
});

test('a client hears the progress of a command, and goes on waiting while there is some', async () => {
  const folder = temporaryFolder();
  const heard = Promise.withResolvers<void>();
  const limitMs = 2_000;
  await serve(folder, {
    echo: async (input, _, report) => {
      // Longer than the limit, with less than the limit between two reports.
      const until = performance.now() + 1.5 * limitMs;
      for (let step = 0; performance.now() < until; step += 1) {
        report({ step });
        await sleep(50);
      }
      await heard.promise;
      return input;
    },
  });
  const steps: unknown[] = [];
  const onProgress = (progress: unknown): void => {
    steps.push(progress);
    if (steps.length === 2) heard.resolve();
  };
  expect(await call(folder, { input: 1, timeoutMs: limitMs, onProgress })).toBe(1);
  expect(steps.slice(0, 2)).toEqual([{ step: 0 }, { step: 1 }]);
});

test('a command that was in progress and then says nothing is reported', async () => {
  const folder = temporaryFolder();
  await serve(folder, {
    echo: async (_, signal, report) => {
      report('begun');
      await once(signal, 'abort');
    },
  });
  await expect(call(folder, { timeoutMs: 500 })).rejects.toMatchObject({
    code: 'NOT_RUNNING',
    message: expect.stringContaining('did not answer within 0.5 s') as unknown,
  });
});

test('closing ends a command that does not end', async () => {
  const folder = temporaryFolder();
  const begun = Promise.withResolvers<void>();
  const server = await ControlServer.listen(folder, {
    echo: async () => {
      begun.resolve();
      await new Promise(() => undefined);
    },
  });
  const waiting = call(folder);
  const ended = expect(waiting).rejects.toMatchObject({ code: 'NOT_RUNNING' });
  await begun.promise;
  await server.close();
  await ended;
});

describe('a request is refused', () => {
  test.each([
    ['without a command', '{"version":1}\n', 'a request is a line of JSON'],
    ['that is not JSON', 'GET / HTTP/1.1\r\n\r\n', 'a request is a line of JSON'],
    ['of another version', '{"version":2,"command":"echo"}\n', 'version 2'],
    ['with an unknown command', '{"version":1,"command":"toString"}\n', 'knows echo'],
    ['that is too long', 'x'.repeat(70_000), 'more than 65536 bytes'],
  ])('%s', async (_, text, why) => {
    const folder = temporaryFolder();
    await serve(folder);
    expect(await sendText(folder, text)).toMatchObject({
      version: 1,
      kind: 'error',
      code: 'CONFIG_INVALID',
      message: expect.stringContaining(why) as unknown,
    });
  });
});
