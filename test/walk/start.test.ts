/**
 * docs/start.md as a new user follows it: its commands and its YAML, in its order, with its words about what is to be
 * seen. Only a port and the URL of a service are replaced.
 */

import fs from 'node:fs';
import path from 'node:path';
import Database from 'better-sqlite3';
import { expect, test, vi } from 'vitest';
import type { DatabaseRow } from '../../apps/dashboard/src/rows.ts';
import { judge, type PageVerdict } from '../../apps/dashboard/src/verdict.ts';
import type { CLIProcess } from '../../apps/cli/test/support/process.ts';
import { Receiver } from '../../apps/cli/test/support/receiver.ts';
import { temporaryFolder } from '../support/temporary.ts';
import { readSteps, type Step } from './steps.ts';
import { standIns, Terminal } from './terminal.ts';

// It takes a minute here, half of it for the pause between two notifications.
vi.setConfig({ testTimeout: 600_000 });

const ROOT = path.resolve(import.meta.dirname, '..', '..');
const PAGE = path.join(ROOT, 'docs', 'start.md');
const STEPS = readSteps(PAGE);
const WAIT = { timeout: 120_000, interval: 250 };

const ADDR = "':9090'";
const SITE = 'http://127.0.0.1:9090';
const SERVICE = 'https://ntfy.sh/my-backups';
const HOME = '/home/you/walk';

/** The step with this title. */
function step(title: string): Step {
  const found = STEPS.find((each) => each.title === title);
  if (found === undefined) throw new Error(`docs/start.md has no step "${title}"`);
  return found;
}

/** The only block, or one of several, of a step. */
function block(blocks: readonly string[], index = 0): string {
  const found = blocks[index];
  if (found === undefined) throw new Error(`there is no block ${index}`);
  return found;
}

/** Runs a block; every command in it succeeds. */
async function run(terminal: Terminal, commands: string): Promise<string> {
  const { code, stdout, stderr } = await terminal.run(commands);
  expect(code, `${commands}${stdout}${stderr}`).toBe(0);
  return stdout;
}

async function runAll(terminal: Terminal, { blocks: { sh } }: Step): Promise<string[]> {
  const shown: string[] = [];
  for (const each of sh) shown.push(await run(terminal, each));
  return shown;
}

function replace(text: string, what: string, by: string): string {
  expect(text).toContain(what);
  return text.replace(what, by);
}

/** What the page of the replicator says. */
async function look(site: string): Promise<PageVerdict> {
  const answer = await fetch(`${site}/api/status`);
  const { rows, unreadable } = (await answer.json()) as {
    readonly rows: readonly DatabaseRow[];
    readonly unreadable?: string;
  };
  const connection = { kind: 'live' } as const;
  return judge({ connection, databases: rows, unreadable, nowMs: Date.now() });
}

/** Waits until the page has this color. What it answers then is in the text of the step. */
async function expectPage(site: string, color: string, { prose }: Step): Promise<void> {
  await expect.poll(async () => (await look(site)).color, WAIT).toBe(color);
  expect(prose).toContain(`page is ${color}`);
  expect(prose).toContain(`"${(await look(site)).answer}"`);
}

/** Waits for a message that looks like one of the documentation, where … stands for anything. */
async function expectMessage(receiver: Receiver, shown: string, folder: string): Promise<void> {
  const escaped = shown
    .trim()
    .replace(HOME, folder)
    .replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  const pattern = escaped.replaceAll('…', '.*');
  const bodies = (): string[] => receiver.requests.map(({ body }) => body);
  await expect.poll(bodies, WAIT).toContainEqual(expect.stringMatching(`^${pattern}$`));
}

/** Presses Ctrl-C. */
async function interrupt(replicator: CLIProcess): Promise<void> {
  replicator.killGroup('SIGINT');
  const { code, stdout, stderr } = await replicator.ended();
  expect(code, stdout + stderr).toBe(0);
}

/** Starts `sluice replicate`. Resolves with the address of its page. */
async function start(
  terminal: Terminal,
  command: string,
): Promise<{ replicator: CLIProcess; site: string }> {
  expect(command).toBe('sluice replicate\n');
  const replicator = terminal.start(command);
  const [, site = ''] = await replicator.says(/page at (http:\/\/\S+)\//);
  return { replicator, site };
}

function textsIn(file: string): unknown[] {
  const database = new Database(file, { readonly: true });
  const texts = database.prepare('SELECT text FROM notes ORDER BY rowid').pluck().all();
  database.close();
  return texts;
}

/** What the page tells to add, with the port and the service of this test. */
async function configure(terminal: Terminal, receiver: Receiver): Promise<void> {
  const { sh, yaml } = step('The configuration').blocks;
  const [init = '', ...checks] = sh;
  await run(terminal, init);
  const addition = replace(replace(block(yaml), ADDR, "':0'"), SERVICE, receiver.origin);
  fs.appendFileSync(path.join(terminal.folder, 'sluice.yml'), addition);
  expect(checks).toHaveLength(1);
  for (const each of checks) await run(terminal, each);
}

/** The page is HTML that finds its script. */
async function expectSite(site: string): Promise<void> {
  const html = await (await fetch(`${site}/`)).text();
  const [, script = ''] = /<script[^>]* src="\.\/([^"]+)"/.exec(html) ?? [];
  const { status, headers } = await fetch(`${site}/${script}`);
  expect([status, headers.get('content-type')]).toEqual([200, expect.stringMatching('javascript')]);
}

interface Failing {
  readonly terminal: Terminal;
  readonly site: string;
  readonly receiver: Receiver;
}

async function failAndRecover({ terminal, site, receiver }: Failing): Promise<void> {
  const failing = step('A destination fails');
  const [unplug, plug] = failing.blocks.sh;
  await run(terminal, unplug ?? '');
  await expectMessage(receiver, block(failing.blocks.text), terminal.folder);
  await expectPage(site, 'red', failing);
  const { code } = await terminal.run('sluice status');
  expect(failing.prose).toContain(`exit code of \`sluice status\` is ${code}`);
  expect(code).not.toBe(0);
  await run(terminal, plug ?? '');
  expect(failing.prose).toContain('page is green again');
  await expect.poll(async () => (await look(site)).color, WAIT).toBe('green');
}

/** Replication continues, and each of the two destinations alone restores what the application has. */
async function goOn(first: Terminal, second: Terminal): Promise<void> {
  const [replicate = '', others = ''] = step('Go on').blocks.sh;
  const { replicator, site } = await start(first, replicate);
  await replicator.says(/file: full snapshot sent/);
  await replicator.says(/file-2: full snapshot sent/);
  await run(second, others);
  await expect.poll(async () => (await look(site)).color, WAIT).toBe('green');
  await interrupt(replicator);
  const live = textsIn(path.join(second.folder, 'server', 'app.db'));
  expect(live).toEqual(['first', 'second', 'third', 'fourth']);
  for (const name of ['server', 'nas']) {
    await run(second, `sluice restore -o of-${name}.db "file://$PWD/${name}/backup"`);
    expect(textsIn(path.join(second.folder, `of-${name}.db`))).toEqual(live);
  }
}

/** The repository, as the packages name it. The page clones it. */
function repositoryURL(): string {
  const text = fs.readFileSync(path.join(ROOT, 'apps', 'cli', 'package.json'), 'utf8');
  const { repository } = JSON.parse(text) as { readonly repository: { readonly url: string } };
  return repository.url.replace(/^git\+/, '').replace(/\.git$/, '');
}

test('docs/start.md leads from nothing to a database that is restored and goes on', async () => {
  const receiver = await Receiver.start();
  const repository = repositoryURL();
  const PATH = `${standIns(repository)}:${process.env['PATH'] ?? ''}`;
  const first = new Terminal(temporaryFolder('walk'), PATH);

  const [version] = await runAll(first, step('Sluice'));
  expect(version).toMatch(/^\d+\.\d+\.\d+/);
  await runAll(first, step('A database'));
  await configure(first, receiver);

  const replicating = step('Replicate');
  const { replicator, site } = await start(first, block(replicating.blocks.sh));
  const second = first.another();
  const status = await run(second, block(replicating.blocks.sh, 1));
  for (const name of ['file', 'file-2'])
    expect(status).toMatch(new RegExp(`\\b${name}\\b.*\\bok\\b`));
  expect(replicating.prose).toContain(SITE);
  await expectSite(site);
  await expectPage(site, 'green', replicating);

  await failAndRecover({ terminal: second, site, receiver });

  const [proof] = await runAll(second, step('Prove it'));
  expect(proof).toMatch(/^file-2 .*: \d+ moments/m);
  // Sent with a pause after the one before.
  const [, well = ''] = step('A destination fails').blocks.text;
  await expectMessage(receiver, well, second.folder);

  await interrupt(replicator);
  const [restored = ''] = await runAll(second, step('The disaster'));
  expect(restored).toMatch(/^restored .* from file-2 .*\n.* at file .*, which was left out/);
  expect(restored).toMatch(/\nfirst\nsecond\nthird\n$/);

  await goOn(first, second);
});
