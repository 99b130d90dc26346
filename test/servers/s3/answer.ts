/** Sends a response, subject to the fault of its request, if any. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { ConnectionGone } from './errors.ts';
import type { Answer } from './exchange.ts';
import type { ActiveFault } from './faults.ts';
import type { Link } from './link.ts';
import { slice } from './store.ts';

/** Content-Length of HEAD and GET. */
function sizeOf(body: Answer['body']): number {
  if (body === undefined) return 0;
  return typeof body === 'string' ? Buffer.byteLength(body) : body.end - body.start;
}

export async function send(
  request: IncomingMessage,
  response: ServerResponse,
  answer: Answer,
  fault: ActiveFault | undefined,
  link?: Link,
): Promise<void> {
  if (fault?.kind.kind === 'lose-answer') fault.cut();
  if (fault?.kind.kind === 'hold-answer') await fault.hold();
  const { body } = answer;
  const hasBody = answer.status !== 204 && answer.status !== 304;
  response.writeHead(answer.status, {
    ...answer.headers,
    ...(hasBody ? { 'content-length': sizeOf(body) } : {}),
  });
  if (!hasBody || body === undefined || request.method === 'HEAD') {
    response.end();
    return;
  }
  const chunks =
    typeof body === 'string' ? [Buffer.from(body)] : slice(body.of, body.start, body.end);
  let sent = 0;
  for (const chunk of chunks) {
    const passes = fault?.passes('response', sent, chunk.byteLength) ?? chunk.byteLength;
    if (passes > 0 || sent === 0) await write(response, chunk.subarray(0, passes));
    sent += passes;
    if (fault !== undefined && passes < chunk.byteLength) await fault.stop();
    await fault?.throttle(chunk.byteLength);
    await link?.pass(chunk.byteLength);
  }
  response.end();
}

/** Resolves when the system has the bytes, so that a following reset does not drop them. */
async function write(response: ServerResponse, chunk: Uint8Array): Promise<void> {
  if (response.destroyed) throw new ConnectionGone('the client went away');
  const { promise, resolve } = Promise.withResolvers<void>();
  response.once('close', resolve);
  response.write(chunk, () => resolve());
  await promise.finally(() => response.off('close', resolve));
  if (response.destroyed) throw new ConnectionGone('the client went away');
}
