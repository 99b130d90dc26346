/** Restores and downloads the chosen moment. Needs the token. */

import type { JSX } from 'preact';
import { useState } from 'preact/hooks';
import { describeBytes, describeSeconds } from '../src/words.ts';
import { post, readLines } from './api.ts';
import type { Session } from './session.tsx';

interface RestoreProps {
  readonly path: string;
  /** ISO 8601; undefined: the newest state. */
  readonly at: string | undefined;
  readonly session: Session;
}

interface Line {
  readonly doneBytes?: number;
  readonly totalBytes?: number;
  readonly restored?: { readonly output: string; readonly durationMs: number };
  readonly error?: { readonly message: string };
}

export function RestoreActions({ path, at, session: { state } }: RestoreProps): JSX.Element | null {
  const [line, setLine] = useState<Line>();
  const [output, setOutput] = useState(`${path}.restored`);
  const [isRunning, setIsRunning] = useState(false);
  if (state === undefined || (!state.canRestore && !state.canDownload)) return null;
  if (!state.mayChange) {
    return (
      <p class="quiet">
        {state.hasToken
          ? 'Sign in with the token to restore or download here.'
          : 'To restore or download here, set a token in the configuration: page.token.'}
      </p>
    );
  }
  const form: Record<string, string> = at === undefined ? { db: path } : { db: path, at };
  const restore = async (to: string): Promise<void> => {
    setIsRunning(true);
    setLine(undefined);
    try {
      await readLines(await post('restore', { ...form, output: to }), (each) =>
        setLine(each as Line),
      );
    } catch (error) {
      setLine({ error: { message: error instanceof Error ? error.message : String(error) } });
    }
    setIsRunning(false);
  };
  return (
    <>
      <div class="row">
        {state.canDownload && (
          <form method="post" action="./api/download">
            {Object.entries(form).map(([name, value]) => (
              <input key={name} type="hidden" name={name} value={value} />
            ))}
            <button type="submit">Download</button>
          </form>
        )}
        {state.canRestore && (
          <form
            class="row grow"
            onSubmit={(event) => {
              event.preventDefault();
              void restore(output);
            }}
          >
            <label class="grow">
              Restore to a path of the server (an existing file is never replaced)
              <input
                name="output"
                required
                value={output}
                onInput={({ currentTarget }) => setOutput(currentTarget.value)}
              />
            </label>
            <button type="submit" class="primary" disabled={isRunning}>
              Restore
            </button>
          </form>
        )}
      </div>
      <div role="status">{line !== undefined && <Result line={line} />}</div>
    </>
  );
}

function Result({ line: { doneBytes, totalBytes, restored, error } }: { line: Line }): JSX.Element {
  if (error !== undefined) return <p class="error">{error.message}</p>;
  if (restored !== undefined) {
    return (
      <p>
        Restored to {restored.output} in {describeSeconds(restored.durationMs / 1_000)}.
      </p>
    );
  }
  return (
    <label>
      {describeBytes(doneBytes ?? 0)} of {describeBytes(totalBytes ?? 0)}
      <progress value={doneBytes} max={totalBytes} />
    </label>
  );
}
