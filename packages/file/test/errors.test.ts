import { describe, expect, test } from 'vitest';

import { toReplicationError } from '../src/errors.ts';

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: a system call failed, open '/x'`), { code });
}

describe('an error of the operating system gets a code', () => {
  test.each([
    ['ENOENT', 'REPLICA_NOT_FOUND'],
    ['EACCES', 'REPLICA_PERMISSION_DENIED'],
    ['EPERM', 'REPLICA_PERMISSION_DENIED'],
    ['EROFS', 'REPLICA_PERMISSION_DENIED'],
    ['ENOSPC', 'REPLICA_FULL'],
    ['EDQUOT', 'REPLICA_FULL'],
    ['EFBIG', 'REPLICA_UNSUPPORTED'],
    ['EMFILE', 'REPLICA_UNAVAILABLE'],
    ['ESTALE', 'REPLICA_UNAVAILABLE'],
    ['EIO', 'REPLICA_UNKNOWN'],
    ['ENOTDIR', 'REPLICA_DESTINATION_NOT_FOUND'],
    ['ELOOP', 'REPLICA_DESTINATION_NOT_FOUND'],
    ['ENAMETOOLONG', 'REPLICA_UNSUPPORTED'],
    ['EWHATEVER', 'REPLICA_UNKNOWN'],
  ])('%s is %s', (system, code) => {
    const cause = systemError(system);
    const error = toReplicationError(cause, 'write level 0 F to file:///b');
    expect(error).toMatchObject({ code, cause });
    expect(error.message).toContain(`write level 0 F to file:///b: ${system}`);
  });

  test('any other error is REPLICA_UNKNOWN', () => {
    expect(toReplicationError(new RangeError('x'), 'w').code).toBe('REPLICA_UNKNOWN');
    expect(toReplicationError('x', 'w')).toMatchObject({
      code: 'REPLICA_UNKNOWN',
      message: 'w: x',
    });
  });
});
