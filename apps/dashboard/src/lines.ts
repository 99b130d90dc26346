/** Answers as lines of JSON: progress, and how it ended in the last line. */

import { secure } from './responses.ts';

/** How work ended: the last line, and the status code if the answer has not begun yet. */
export interface Ending {
  readonly line: object;
  readonly statusCode: number;
}

/** Writes a line of progress. */
export type WriteLine = (line: object) => void;

/** Aborts the work if the client closes the connection. `work` never rejects. */
export async function answerInLines(
  work: (write: WriteLine, signal: AbortSignal) => Promise<Ending>,
  { begin, signal }: { readonly begin: 'at once' | 'with a line'; readonly signal: AbortSignal },
): Promise<Response> {
  const gone = new AbortController();
  const encoder = new TextEncoder();
  const started = Promise.withResolvers<number>();
  if (begin === 'at once') started.resolve(200);
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      const write: WriteLine = (line) => {
        if (!gone.signal.aborted) controller.enqueue(encoder.encode(`${JSON.stringify(line)}\n`));
      };
      const progress: WriteLine = (line) => {
        started.resolve(200);
        write(line);
      };
      void work(progress, AbortSignal.any([signal, gone.signal])).then(({ line, statusCode }) => {
        started.resolve(statusCode);
        write(line);
        if (!gone.signal.aborted) controller.close();
      });
    },
    cancel: () => gone.abort(new Error('the client has closed the connection')),
  });
  const status = await started.promise;
  return secure(
    new Response(body, { status, headers: { 'content-type': 'application/x-ndjson' } }),
  );
}
