/** Signals to the replicating process and to the command of -exec. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { addRows, countRows } from '../support/database.ts';
import { CLI, CLIProcess, runProcess } from '../support/process.ts';
import { temporaryFolder, writeFile } from '../support/temporary.ts';

// Each fsync may take seconds on a busy disk.
vi.setConfig({ testTimeout: 300_000 });

/** Writes each received signal to a file. Ends with a delay after signals that end a service. */
const APPLICATION = `import fs from 'node:fs';
const [, , file] = process.argv;
for (const name of ['SIGHUP', 'SIGQUIT', 'SIGINT', 'SIGTERM', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH']) {
  process.on(name, () => {
    fs.appendFileSync(file, name + ' ');
    console.log('the command got ' + name);
    if (/HUP|QUIT|INT|TERM/.test(name)) setTimeout(() => process.exit(0), 300);
  });
}
setInterval(() => undefined, 60_000);
console.log('the command is up as ' + process.pid + '.');
`;

class Scene {
  readonly folder = temporaryFolder();
  readonly database = path.join(this.folder, 'app.db');
  readonly backup = path.join(this.folder, 'backup');
  readonly #got = path.join(this.folder, 'got');

  constructor() {
    addRows(this.database, 3);
  }

  /** Starts replication with a command, and waits until the command runs. */
  async start(application = APPLICATION): Promise<{ sluice: CLIProcess; command: number }> {
    const program = writeFile(this.folder, 'application.mjs', application);
    const command = `"${process.execPath}" "${program}" "${this.#got}"`;
    const words = ['replicate', '-exec', command, this.database, `file://${this.backup}`];
    const sluice = new CLIProcess(words);
    const [, pid] = await sluice.says(/the command is up as (\d+)\./);
    onTestFinished(() => endProcess(Number(pid)));
    await sluice.says(/full snapshot/);
    return { sluice, command: Number(pid) };
  }

  /** Signals that the command received, in order. */
  get got(): string {
    return fs.existsSync(this.#got) ? fs.readFileSync(this.#got, 'utf8').trim() : '';
  }

  async rowsAtBackup(): Promise<number> {
    const output = path.join(temporaryFolder(), 'restored.db');
    const { code, stderr } = await runProcess(['restore', '-o', output, `file://${this.backup}`]);
    expect([code, stderr]).toEqual([0, '']);
    return countRows(output);
  }
}

/** T: stopped. Z: zombie. Empty if the process does not exist (proc(5)). */
function stateOf(pid: number): string {
  try {
    const [, state = ''] =
      /^\d+ \(.*\) (\w) /s.exec(fs.readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
    return state;
  } catch {
    return '';
  }
}

function isAlive(pid: number): boolean {
  return !['', 'Z'].includes(stateOf(pid));
}

function endProcess(pid: number): void {
  if (isAlive(pid)) process.kill(pid, 'SIGKILL');
}

test.each(['SIGHUP', 'SIGQUIT', 'SIGINT', 'SIGTERM'] as const)(
  '%s is passed to the command once and ends both after a last sync',
  async (signal) => {
    const scene = new Scene();
    const { sluice, command } = await scene.start();
    addRows(scene.database, 20);
    sluice.kill(signal);
    const { code, stdout } = await sluice.ended();
    expect(code, stdout).toBe(0);
    expect(scene.got).toBe(signal);
    expect(isAlive(command)).toBe(false);
    expect(await scene.rowsAtBackup()).toBe(23);
  },
);

test.each(['SIGUSR1', 'SIGUSR2', 'SIGWINCH'] as const)(
  '%s is passed to the command once and ends nothing',
  async (signal) => {
    const scene = new Scene();
    const { sluice } = await scene.start();
    sluice.kill(signal);
    await sluice.says(new RegExp(`the command got ${signal}`));
    sluice.kill('SIGTERM');
    const { code, stdout, stderr } = await sluice.ended();
    expect(code, stdout).toBe(0);
    expect(scene.got).toBe(`${signal} SIGTERM`);
    expect(stdout + stderr).not.toMatch(/debugger/i);
  },
);

test('a signal to both the process and its group is passed to the command once', async () => {
  const scene = new Scene();
  const { sluice } = await scene.start();
  sluice.killGroup('SIGTERM');
  await sluice.says(/a last sync to every destination/);
  sluice.kill('SIGTERM');
  const { code, stdout } = await sluice.ended();
  expect(code, stdout).toBe(0);
  expect(scene.got).toBe('SIGTERM');
  expect(stdout).not.toContain('exiting at once');
});

/** Goes on after every signal but SIGTERM. */
const STUBBORN = `import fs from 'node:fs';
for (const name of ['SIGHUP', 'SIGINT', 'SIGTERM']) {
  process.on(name, () => {
    fs.appendFileSync(process.argv[2], name + ' ');
    console.log('the command goes on after ' + name);
  });
}
setInterval(() => undefined, 60_000);
console.log('the command is up as ' + process.pid + '.');
`;

test('SIGHUP ends nothing: a command that goes on gets it once', async () => {
  const scene = new Scene();
  const { sluice, command } = await scene.start(STUBBORN);
  sluice.killGroup('SIGHUP');
  sluice.kill('SIGHUP');
  await sluice.says(/the command goes on after SIGHUP/);
  await sluice.says(/SIGHUP: nothing was changed/);
  addRows(scene.database, 2);
  process.kill(command, 'SIGKILL');
  expect((await sluice.ended()).code).toBe(137);
  expect(scene.got).toBe('SIGHUP');
  expect(await scene.rowsAtBackup()).toBe(5);
});

test('Ctrl-C, which signals the whole group, reaches the command once', async () => {
  const scene = new Scene();
  const { sluice, command } = await scene.start();
  sluice.killGroup('SIGINT');
  const { code, stdout } = await sluice.ended();
  expect(code, stdout).toBe(0);
  expect(scene.got).toBe('SIGINT');
  expect(isAlive(command)).toBe(false);
});

test('a second SIGTERM, more than a second later, ends both at once', async () => {
  const scene = new Scene();
  const { sluice, command } = await scene.start(STUBBORN);
  // Copies within a second count as one.
  for (let count = 0; count < 3; count += 1) sluice.kill('SIGTERM');
  await sluice.says(/the command goes on after SIGTERM/);
  const again = setInterval(() => sluice.kill('SIGTERM'), 200);
  const { code, stdout } = await sluice.ended();
  clearInterval(again);
  expect(code, stdout).toBe(143);
  expect(stdout).toContain('second SIGTERM: exiting at once');
  expect(scene.got).toBe('SIGTERM');
  await expect.poll(() => isAlive(command)).toBe(false);
});

test('SIGHUP of a terminal that closes ends the process after a last sync', async () => {
  const { database, backup } = new Scene();
  const words = [process.execPath, CLI, 'replicate', database, `file://${backup}`];
  // `script` runs it in a terminal of its own.
  const terminal = spawn('script', [
    '-qefc',
    words.map((word) => `'${word}'`).join(' '),
    '/dev/null',
  ]);
  onTestFinished(() => void terminal.kill('SIGKILL'));
  let output = '';
  terminal.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const code = once(terminal, 'close').then(([code]) => code as number);
  await expect.poll(() => output, { timeout: 60_000 }).toContain('full snapshot sent');
  const [, pid] = /starts as process (\d+)/.exec(output) ?? [];
  process.kill(Number(pid), 'SIGHUP');
  expect(await code, output).toBe(0);
  expect(output).toContain('SIGHUP: a last sync to every destination');
});

test.each(['SIGUSR1', 'SIGUSR2'] as const)(
  '%s without a command is ignored and opens no debugger',
  async (signal) => {
    const { database, backup } = new Scene();
    const sluice = new CLIProcess(['replicate', database, `file://${backup}`]);
    await sluice.says(/full snapshot/);
    sluice.kill(signal);
    await sluice.says(new RegExp(`${signal} is ignored`));
    sluice.kill('SIGQUIT');
    const { code, stdout, stderr } = await sluice.ended();
    expect(code, stdout).toBe(0);
    expect(stdout + stderr).not.toMatch(/debugger/i);
  },
);

test('a second signal kills a command that does not end', async () => {
  const stubborn = `process.on('SIGTERM', () => console.log('the command goes on'));
process.on('SIGINT', () => undefined);
setInterval(() => undefined, 60_000);
console.log('the command is up as ' + process.pid + '.');
`;
  const { sluice, command } = await new Scene().start(stubborn);
  sluice.kill('SIGTERM');
  await sluice.says(/the command goes on/);
  sluice.kill('SIGINT');
  const { code, stdout } = await sluice.ended();
  expect(code).toBe(130);
  expect(stdout).toContain('exiting at once');
  await expect.poll(() => isAlive(command)).toBe(false);
});

test('SIGTSTP and SIGCONT also apply to the command', async () => {
  const { sluice, command } = await new Scene().start();
  const states = (): string[] => [sluice.pid, command].map(stateOf);
  sluice.kill('SIGTSTP');
  await expect.poll(states).toEqual(['T', 'T']);
  sluice.kill('SIGCONT');
  await expect.poll(states).not.toContain('T');
  sluice.kill('SIGTERM');
  expect((await sluice.ended()).code).toBe(0);
});

test('if replication fails, the command is stopped', async () => {
  const scene = new Scene();
  const program = writeFile(scene.folder, 'application.mjs', APPLICATION);
  const got = path.join(scene.folder, 'got');
  // Ending a thread has the same effect as a broken invariant.
  const dying = writeFile(
    scene.folder,
    'dying.mjs',
    `import { isMainThread } from 'node:worker_threads';
import fs from 'node:fs';
const look = () => { if (fs.existsSync(${JSON.stringify(path.join(scene.folder, 'die'))})) throw new Error('planted'); };
if (!isMainThread) setInterval(look, 50).unref();
`,
  );
  const command = `"${process.execPath}" "${program}" "${got}"`;
  const words = ['replicate', '-exec', command, scene.database, `file://${scene.backup}`];
  const sluice = new CLIProcess(words, { NODE_OPTIONS: `--import file://${dying}` });
  const [, pid] = await sluice.says(/the command is up as (\d+)\./);
  onTestFinished(() => endProcess(Number(pid)));
  writeFile(scene.folder, 'die', '');
  const { code, stdout } = await sluice.ended();
  expect(code).toBe(1);
  expect(stdout).toContain(`stopping the command (process ${pid}) too`);
  expect(isAlive(Number(pid))).toBe(false);
  expect(scene.got).toBe('SIGTERM');
});
