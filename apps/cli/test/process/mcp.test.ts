/** `sluice mcp`, as an assistant uses it: a client of the SDK speaks to the process on its stdin and stdout. */

import fs from 'node:fs';
import http from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { expect, onTestFinished, test, vi } from 'vitest';
import { parseOutput } from '../docs/json-schemas.ts';
import { addRows } from '../support/database.ts';
import { CLI, runProcess } from '../support/process.ts';
import { startSilentServer } from '../support/silent-server.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

vi.setConfig({ testTimeout: 300_000 });

const NAMES = ['status', 'history', 'restore_plan', 'drill'];
const CALL_MS_MAX = 240_000;

interface Answer {
  readonly isError: boolean;
  readonly texts: readonly string[];
}

class Assistant {
  readonly client = new Client({ name: 'test', version: '1.0.0' });
  readonly #transport: StdioClientTransport;
  #stderr = '';

  constructor(config: string, environment: Readonly<Record<string, string>> = {}) {
    const env = { PATH: process.env['PATH'] ?? '', TMPDIR: temporaryFolder(), ...environment };
    const args = [CLI, 'mcp', '-config', config];
    this.#transport = new StdioClientTransport({
      command: process.execPath,
      args,
      env,
      stderr: 'pipe',
    });
    this.#transport.stderr?.on('data', (chunk) => (this.#stderr += String(chunk)));
  }

  static async start(config: string, environment?: Record<string, string>): Promise<Assistant> {
    const assistant = new Assistant(config, environment);
    onTestFinished(() => assistant.client.close());
    await assistant.client.connect(assistant.#transport);
    return assistant;
  }

  get stderr(): string {
    return this.#stderr;
  }

  get pid(): number {
    return this.#transport.pid ?? 0;
  }

  async call(name: string, input: object = {}, signal?: AbortSignal): Promise<Answer> {
    const request = { name, arguments: { ...input } };
    const options = { timeout: CALL_MS_MAX, ...(signal === undefined ? {} : { signal }) };
    const { content, isError } = await this.client.callTool(request, undefined, options);
    const texts = (content as readonly { text: string }[]).map(({ text }) => text);
    return { isError: isError === true, texts };
  }
}

interface Scene {
  readonly folder: string;
  readonly app: string;
  readonly config: string;
}

/** A database with a backup at two destinations, whose replicator has ended. */
async function scene(): Promise<Scene> {
  const folder = temporaryFolder();
  const app = path.join(folder, 'app.db');
  addRows(app, 3);
  const replicas = ['one', 'two'].map((name) => ({ name, path: path.join(folder, name) }));
  const config = writeFile(
    folder,
    'sluice.yml',
    JSON.stringify({ dbs: [{ path: app, replicas }] }),
  );
  expect((await runProcess(['replicate', '-once', '-config', config])).code).toBe(0);
  return { folder, app, config };
}

/** All files with their content, without the record of drills. */
function filesBelow(folder: string): Map<string, string> {
  const files = fs.readdirSync(folder, { recursive: true, withFileTypes: true });
  return new Map(
    files
      .filter((entry) => entry.isFile() && entry.name !== 'drill.json')
      .map((entry) => path.join(entry.parentPath, entry.name))
      .map((file) => [file, fs.readFileSync(file, 'latin1')]),
  );
}

test('the tools are those that only read, and each answers with the JSON of its command', async () => {
  const { folder, app, config } = await scene();
  const before = filesBelow(folder);
  const assistant = await Assistant.start(config);
  const { tools } = await assistant.client.listTools();
  expect(tools.map(({ name }) => name)).toEqual(NAMES);
  for (const { annotations, inputSchema, description } of tools) {
    expect(annotations).toMatchObject({ readOnlyHint: true, destructiveHint: false });
    expect(inputSchema).toMatchObject({ additionalProperties: false });
    expect(description?.length).toBeGreaterThan(50);
  }
  const { resources, prompts } = assistant.client.getServerCapabilities() ?? {};
  expect([resources, prompts]).toEqual([undefined, undefined]);

  const status = await assistant.call('status');
  expect(parseOutput('status', status.texts[0] ?? '')).toMatchObject([
    { database: app, destinations: [{ name: 'one', state: 'ok' }, {}] },
  ]);
  expect(await assistant.call('status', { database: app })).toMatchObject({ isError: false });
  const history = await assistant.call('history', { database: app, limit: 5, replica: 'two' });
  expect(parseOutput('history', history.texts[0] ?? '')).toMatchObject([{ replica: 'two' }]);
  const plan = await assistant.call('restore_plan', { database: app });
  expect(parseOutput('restore', plan.texts[0] ?? '')).toMatchObject({
    target_path: app,
    max_txid: '0000000000000001',
  });
  const drill = await assistant.call('drill', { database: app, at: 'random' });
  expect(parseOutput('drill', drill.texts[0] ?? '')).toMatchObject([
    { name: 'one', result: 'ok' },
    { name: 'two', result: 'ok' },
  ]);
  expect(assistant.stderr).toBe('');
  const { pid } = assistant;
  await assistant.client.close();
  await expect.poll(() => isRunning(pid)).toBe(false);
  expect(filesBelow(folder)).toEqual(before);
});

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test('a model cannot name another place, smuggle in a flag or call anything else', async () => {
  const { folder, app, config } = await scene();
  const assistant = await Assistant.start(config);
  for (const name of ['history', 'restore_plan', 'drill', 'status']) {
    for (const database of [`file://${folder}/one`, 's3://bucket/app.db', 's3:/bucket', '']) {
      const { isError, texts } = await assistant.call(name, { database });
      expect([name, database, isError]).toEqual([name, database, true]);
      expect(texts.join()).toMatch(/must be the path of a database, not a URL|expected string/);
    }
    for (const database of ['/etc/passwd', `-config=${folder}/other.yml`, '-json=false']) {
      const { isError, texts } = await assistant.call(name, { database });
      expect([name, isError]).toEqual([name, true]);
      expect(texts.join()).toContain(`${database} is not in ${config}`); // it was taken for a path
    }
  }
  const values = { replica: '-o=/tmp/x', txid: '1 -o=/tmp/x', timestamp: '-force', extra: 'x' };
  for (const [key, value] of Object.entries(values)) {
    expect(await assistant.call('restore_plan', { database: app, [key]: value })).toMatchObject({
      isError: true,
    });
  }
  for (const name of ['restore', 'replicate', 'repair', 'reset', 'ltx']) {
    const refused = await assistant.call(name, { database: app }).catch((error: Error) => error);
    expect(refused).toSatisfy((each) => each instanceof Error || (each as Answer).isError);
  }
  expect(await assistant.call('drill', { database: app, assert: 'SELECT 1' })).toMatchObject({
    isError: true,
  });
});

test('an invalid configuration is an error at the start', async () => {
  const config = writeFile(temporaryFolder(), 'sluice.yml', 'dbs: [{ path: /d }]\n');
  const { code, stdout, stderr } = await runProcess(['mcp', '-config', config]);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toContain('(CONFIG_INVALID)');
});

const CANARIES = ['canary-in-the-configuration', 'canary-in-the-url', 'canary/in+the=environment'];

/** An S3 server whose errors quote everything that it might know. */
async function quotingServer(): Promise<string> {
  const server = http.createServer((request, response) => {
    request.resume();
    response.writeHead(403, { 'content-type': 'application/xml' });
    const message = `not ${CANARIES.join(' ')}`;
    response.end(`<Error><Code>SignatureDoesNotMatch</Code><Message>${message}</Message></Error>`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('no answer contains a secret, although the server quotes it', async () => {
  const folder = temporaryFolder();
  const app = path.join(folder, 'app.db');
  addRows(app, 1);
  const endpoint = await quotingServer();
  const [inConfig, inURL, inEnvironment = ''] = CANARIES;
  const s3 = { type: 's3', endpoint, region: 'r', bucket: 'b' };
  const replicas = [
    { name: 'one', ...s3, path: 'one', 'access-key-id': 'k', 'secret-access-key': inConfig },
    {
      name: 'two',
      url: `s3://b/two?endpoint=${endpoint}&region=r&access-key-id=k&secret-access-key=${inURL}`,
    },
    { name: 'three', ...s3, path: 'three' },
  ];
  const config = writeFile(
    folder,
    'sluice.yml',
    JSON.stringify({ dbs: [{ path: app, replicas }] }),
  );
  const keys = { AWS_ACCESS_KEY_ID: 'k', AWS_SECRET_ACCESS_KEY: inEnvironment };
  const assistant = await Assistant.start(config, keys);
  const answers: string[] = [];
  for (const name of NAMES) {
    const { texts } = await assistant.call(name, { database: app });
    answers.push(...texts);
  }
  const all = [...answers, assistant.stderr].join('\n');
  expect(all).toContain('SignatureDoesNotMatch');
  for (const canary of CANARIES) {
    for (const spelling of [canary, encodeURIComponent(canary)])
      expect(all).not.toContain(spelling);
  }
});

test('a call that the client gives up ends its process, and the next one is answered', async () => {
  const { app, folder } = await scene();
  const { endpoint, connected } = await startSilentServer();
  const s3 = { name: 'far', type: 's3', endpoint, region: 'r', bucket: 'b', path: 'p' };
  const keys = { 'access-key-id': 'k', 'secret-access-key': 'bbbbbbbb' };
  const replicas = [
    { name: 'one', path: path.join(folder, 'one') },
    { ...s3, ...keys },
  ];
  const text = JSON.stringify({ dbs: [{ path: app, replicas }] });
  const assistant = await Assistant.start(writeFile(folder, 'far.yml', text));
  const aborting = new AbortController();
  const waiting = assistant.call('drill', { database: app, replica: 'far' }, aborting.signal);
  const ended = expect(waiting).rejects.toThrow('enough');
  await connected;
  aborting.abort(new Error('enough'));
  await ended;
  const { isError } = await assistant.call('restore_plan', { database: app, replica: 'one' });
  expect(isError).toBe(false);
});
