/** Servers with various login methods. */

import fs from 'node:fs';
import { join } from 'node:path';

import { isError, type ReplicationError } from '@sluice/core/backend';
import { Replica } from '@sluice/core/backend/testing';
import { describe, expect, test } from 'vitest';
import type { AuthContext, AuthenticationType } from 'ssh2';

import { startFakeServer, type FakeServer } from './fake-server.ts';
import { bodyOf, connectTo, PASSWORD, ref, ROOT } from './fixtures.ts';
import { makeKeys } from './keys.ts';

const FILE = ref(0, 1);

type Input = Readonly<Record<string, unknown>>;

/** Requires these methods, one after another. */
function wants(fake: FakeServer, ...steps: readonly AuthenticationType[]): string[] {
  const tried: string[] = [];
  let done = 0;
  fake.accept = (context: AuthContext) => {
    tried.push(context.method);
    const isTurn = context.method === steps[done] && isRight(context);
    // The client first offers a key without a signature.
    if (isTurn && context.method === 'publickey' && context.signature === undefined) return true;
    if (isTurn) done += 1;
    if (done === steps.length) return true;
    context.reject([steps[done] ?? 'none'], isTurn);
    return 'later';
  };
  return tried;
}

function isRight(context: AuthContext): boolean {
  return context.method !== 'password' || context.password === PASSWORD;
}

async function write(fake: FakeServer, input: Input = {}): Promise<void> {
  await new Replica(await connectTo(fake, { input }), ROOT).writeFile(FILE, bodyOf('x'));
}

async function refusal(fake: FakeServer, input: Input = {}): Promise<ReplicationError> {
  const error: unknown = await write(fake, input).catch((thrown: unknown) => thrown);
  if (isError(error, 'REPLICA_UNAUTHENTICATED')) return error;
  throw error;
}

function keyIn(fake: FakeServer, text = makeKeys().private): Input {
  const path = join(fake.folder, 'key');
  fs.writeFileSync(path, text);
  return { 'key-path': path };
}

describe('a server that requires', () => {
  test('a key and then a password gets both', async () => {
    const fake = await startFakeServer();
    const tried = wants(fake, 'publickey', 'password');
    await write(fake, keyIn(fake));
    expect(tried).toEqual(['none', 'publickey', 'publickey', 'password']);
  });

  test('a password and then a key gets both', async () => {
    const fake = await startFakeServer();
    wants(fake, 'password', 'publickey');
    await write(fake, keyIn(fake));
  });

  test('a password first, and refuses the key before it, gets both', async () => {
    const fake = await startFakeServer();
    let isPasswordKnown = false;
    fake.accept = (context: AuthContext) => {
      if (context.method === 'publickey' && isPasswordKnown) return true;
      const isRightNow = context.method === 'password' && isRight(context);
      isPasswordKnown ||= isRightNow;
      context.reject(['publickey', 'password'], isRightNow); // it lists both in either order
      return 'later';
    };
    await write(fake, keyIn(fake));
  });

  test('a key and then a password is an error without a password, which names it', async () => {
    const fake = await startFakeServer();
    wants(fake, 'publickey', 'password');
    const error = await refusal(fake, { ...keyIn(fake), password: undefined });
    expect(error.message).toMatch(/the server requires more steps \(password\): set password$/);
  });

  test('a method that is not configured is an error that names its key', async () => {
    const fake = await startFakeServer();
    wants(fake, 'publickey');
    const error = await refusal(fake);
    expect(error.message).toMatch(/accepts other methods too \(publickey\): set key-path$/);
  });

  test('a password that is wrong is tried a limited number of times', async () => {
    const fake = await startFakeServer();
    const tried = wants(fake, 'password');
    await refusal(fake, { password: 'wrong' });
    expect(tried).toEqual(['none', 'password']);
  });

  test('steps without end is given up', async () => {
    const fake = await startFakeServer();
    let count = 0;
    fake.accept = (context) => {
      count += 1;
      context.reject(['password'], true);
      return 'later';
    };
    await refusal(fake);
    expect(count).toBeLessThan(10);
  });
});

describe('a server that asks questions', () => {
  /** Asks rounds of questions. The last answer of a round must be right. */
  function asks(
    fake: FakeServer,
    ...rounds: readonly { prompt: string; echo: boolean }[][]
  ): string[] {
    const answers: string[] = [];
    fake.accept = (context) => {
      if (context.method !== 'keyboard-interactive') return ['keyboard-interactive'];
      const next = (index: number): void => {
        const round = rounds[index];
        if (round === undefined) return context.accept();
        context.prompt(round, (given) => {
          answers.push(...given);
          next(index + 1);
        });
        return undefined;
      };
      next(0);
      return 'later';
    };
    return answers;
  }

  test('gets the password, and may end with an empty round', async () => {
    const fake = await startFakeServer();
    const answers = asks(fake, [{ prompt: 'Password for backup@nas: ', echo: false }], []);
    await write(fake);
    expect(answers).toEqual([PASSWORD]);
  });

  test('gets the user for an echoed question', async () => {
    const fake = await startFakeServer();
    const answers = asks(fake, [
      { prompt: 'Username: ', echo: true },
      { prompt: 'Password: ', echo: false },
    ]);
    await write(fake);
    expect(answers).toEqual(['backup', PASSWORD]);
  });
});

test.each([
  'Welcome to this machine!\n',
  'Hi\n\0\0\0\u0005', // followed by SFTP
])('a login that prints %j is an error that says so', async (prints) => {
  const fake = await startFakeServer({ prints });
  const error: unknown = await write(fake).catch((thrown: unknown) => thrown);
  expect(isError(error, 'REPLICA_UNSUPPORTED'), String(error)).toBe(true);
  expect(String(error)).toMatch(/something prints text at each login/);
});
