/** Multipart and resumable uploads, as documented by Google. */

import { createHash, randomUUID } from 'node:crypto';
import { checkCondition, json, readBody, Refused, type Answer, type Exchange } from './exchange.ts';
import { toResource, type Resource, type Store } from './store.ts';

/** Sizes of parts, and of the kept bytes of an interrupted part, are multiples of this. */
const STEP_BYTES = 256 * 1024;

interface Session {
  readonly key: string;
  readonly resource: Resource;
  readonly condition: string | null;
  bytes: Buffer;
  /** The final response, once the upload is complete. */
  done: Answer | undefined;
}

export async function putMultipart(exchange: Exchange): Promise<Answer> {
  const { request, entry, store } = exchange;
  const boundary = /boundary=("?)([^";]+)\1/.exec(request.headers['content-type'] ?? '')?.[2];
  if (boundary === undefined) throw new Refused(400, 'badContent', 'no boundary');
  const body = await readBody(exchange);
  const delimiter = `\r\n--${boundary}`;
  const first = body.indexOf('\r\n\r\n') + 4;
  const firstEnd = body.indexOf(delimiter, first);
  const second = body.indexOf('\r\n\r\n', firstEnd) + 4;
  const secondEnd = body.lastIndexOf(`${delimiter}--`);
  if (firstEnd < 0 || secondEnd < second) throw new Refused(400, 'badContent', 'not two parts');
  const resource = JSON.parse(body.toString('utf8', first, firstEnd)) as Resource;
  const bytes = body.subarray(second, secondEnd);
  return commit(store, entry.key, bytes, resource, entry.query.get('ifGenerationMatch'));
}

function commit(
  store: Store,
  key: string,
  bytes: Buffer,
  resource: Resource,
  condition: string | null,
): Answer {
  const md5Hash = createHash('md5').update(bytes).digest('base64');
  if (resource.md5Hash !== undefined && resource.md5Hash !== md5Hash) {
    const given = `Provided MD5 hash "${resource.md5Hash}"`;
    throw new Refused(400, 'invalid', `${given} doesn't match calculated MD5 hash "${md5Hash}".`);
  }
  checkCondition(condition, store.get(key)?.generation);
  return json(toResource(key, store.put(key, Buffer.from(bytes), resource)));
}

export class Uploads {
  readonly #sessions = new Map<string, Session>();

  /** Number of uploads that are neither complete nor cancelled. */
  get open(): number {
    return [...this.#sessions.values()].filter(({ done }) => done === undefined).length;
  }

  /** Forgets all sessions, as after a week. */
  forgetAll(): void {
    this.#sessions.clear();
  }

  /** Forgets all bytes, like a server that lost acknowledged data. */
  forgetBytes(): void {
    for (const session of this.#sessions.values()) session.bytes = Buffer.alloc(0);
  }

  async begin(exchange: Exchange): Promise<Answer> {
    const { entry, store, bucket } = exchange;
    const resource = JSON.parse((await readBody(exchange)).toString()) as Resource;
    const condition = entry.query.get('ifGenerationMatch');
    checkCondition(condition, store.get(entry.key)?.generation);
    const id = randomUUID();
    const empty = Buffer.alloc(0);
    this.#sessions.set(id, { key: entry.key, resource, condition, bytes: empty, done: undefined });
    // The host from the request, so that the upload continues through a proxy.
    const location = `http://${entry.headers.host}/upload/storage/v1/b/${bucket}/o?uploadType=resumable&upload_id=${id}`;
    return { status: 200, headers: { location } };
  }

  end(id: string): Answer {
    this.#find(id);
    this.#sessions.delete(id);
    return { status: 499 };
  }

  async put(exchange: Exchange, id: string): Promise<Answer> {
    const session = this.#find(id);
    const range = exchange.request.headers['content-range'] ?? '';
    const [, asked] = /^bytes \*\/(\d+)$/.exec(range) ?? [];
    if (asked !== undefined) {
      await readBody(exchange);
      if (session.done !== undefined) return session.done;
      if (session.bytes.byteLength < Number(asked)) return standing(session);
      return finish(exchange, session);
    }
    const [, first, last, total] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(range) ?? [];
    if (total === undefined) throw new Refused(400, 'badRequest', `content-range ${range}`);
    const [start, end, size] = [Number(first), Number(last) + 1, Number(total)];
    const keep = (bytes: Buffer): void => {
      const upTo = start + bytes.byteLength;
      if (upTo > session.bytes.byteLength) {
        session.bytes = Buffer.concat([session.bytes.subarray(0, start), bytes]);
      }
    };
    // Of an interrupted part, whole steps are kept.
    const body = await readBody(exchange, (soFar) =>
      keep(soFar.subarray(0, soFar.byteLength - (soFar.byteLength % STEP_BYTES))),
    );
    if (session.done !== undefined) return session.done;
    if (start > session.bytes.byteLength) return standing(session);
    if (body.byteLength !== end - start) throw new Refused(400, 'badRequest', 'a short part');
    if (end < size && body.byteLength % STEP_BYTES !== 0) {
      throw new Refused(400, 'badRequest', 'a part that is no multiple of 256 KiB');
    }
    const kept = exchange.fault?.kind.kind === 'keep-less' ? exchange.fault.kind.bytes : Infinity;
    keep(body.subarray(0, kept));
    if (session.bytes.byteLength < size) return standing(session);
    if (exchange.fault?.kind.kind === 'not-yet') return standing(session);
    return finish(exchange, session);
  }

  #find(id: string): Session {
    const session = this.#sessions.get(id);
    if (session !== undefined) return session;
    throw new Refused(404, 'notFound', 'No such upload.');
  }
}

function finish({ request, store }: Exchange, session: Session): Answer {
  const md5Hash = /md5=(.*)$/.exec(String(request.headers['x-goog-hash']))?.[1];
  const resource = { ...session.resource, ...(md5Hash !== undefined && { md5Hash }) };
  session.done = commit(store, session.key, session.bytes, resource, session.condition);
  return session.done;
}

function standing({ bytes: { byteLength } }: Session): Answer {
  return {
    status: 308,
    headers: byteLength === 0 ? {} : { range: `bytes=0-${byteLength - 1}` },
  };
}
