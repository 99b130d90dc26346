/** What this browser may do, and signing in with the token. */

import type { JSX } from 'preact';
import { useCallback, useEffect, useState } from 'preact/hooks';
import { get, post } from './api.ts';

export interface SessionState {
  readonly mayRead: boolean;
  readonly refusal?: string | undefined;
  readonly mayChange: boolean;
  readonly hasToken: boolean;
  readonly canRestore: boolean;
  readonly canDownload: boolean;
  readonly hasCosts: boolean;
  readonly hasHistory: boolean;
  readonly hasSamples: boolean;
}

export interface Session {
  readonly state: SessionState | undefined;
  /** Asks again what may be done: a session may have ended. */
  readonly reload: () => void;
  signIn(token: string): Promise<void>;
  signOut(): Promise<void>;
}

/** Time between two tries while the server does not answer. */
const RETRY_MS = 2_000;

export function useSession(): Session {
  const [state, setState] = useState<SessionState>();
  const [tries, setTries] = useState(0);
  const load = useCallback(async () => setState(await get<SessionState>('session', {})), []);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    load().catch(() => {
      timer = setTimeout(() => setTries((count) => count + 1), RETRY_MS);
    });
    return () => clearTimeout(timer);
  }, [tries]);
  return {
    state,
    reload: () => setTries((count) => count + 1),
    signIn: async (token) => {
      await post('session', { token });
      await load();
    },
    signOut: async () => {
      await post('session', { end: '1' });
      await load();
    },
  };
}

export function SignIn({ session, done }: { session: Session; done?: () => void }): JSX.Element {
  const [token, setToken] = useState('');
  const [error, setError] = useState<string>();
  const signIn = async (given: string): Promise<void> => {
    try {
      await session.signIn(given);
      done?.();
    } catch (reason) {
      setError(reason instanceof Error ? reason.message : String(reason));
    }
  };
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    void signIn(token);
  };
  return (
    <form class="row" onSubmit={submit}>
      {/* For password managers. */}
      <input type="text" autocomplete="username" value="sluice" readOnly hidden />
      <label class="grow">
        Token of the page
        <input
          type="password"
          required
          autocomplete="current-password"
          value={token}
          onInput={({ currentTarget }) => setToken(currentTarget.value)}
        />
      </label>
      <button type="submit" class="primary">
        Sign in
      </button>
      {error !== undefined && (
        <p class="error" role="alert">
          {error}
        </p>
      )}
    </form>
  );
}
