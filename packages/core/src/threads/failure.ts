/** An error in a form that can be sent between threads. */

import { isError, messageOf, ReplicationError, type ErrorCode } from '../error.ts';

export interface Failure {
  readonly code: ErrorCode | undefined;
  readonly message: string;
}

export function toFailure(error: unknown): Failure {
  return { code: isError(error) ? error.code : undefined, message: messageOf(error) };
}

export function fromFailure({ code, message }: Failure): Error {
  return code === undefined ? new Error(message) : new ReplicationError(code, message);
}
