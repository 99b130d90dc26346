/** The line on top: whether the page is live, signing in, and the theme. */

import type { JSX } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { toClock } from '../src/words.ts';
import type { Live } from './live.ts';
import { SignIn, type Session } from './session.tsx';
import { chooseTheme, readTheme, type Theme } from './theme.ts';

export function Header({ live, session }: { live: Live; session: Session }): JSX.Element {
  return (
    <header>
      <a class="brand" href="#">
        <svg viewBox="0 0 32 32" width="24" height="24" aria-hidden="true">
          <rect width="32" height="32" rx="7" class="brand-back" />
          <path d="M7 9h18M7 9v14M25 9v14M16 9v8M11 23c1.6-2 3.4-2 5 0s3.4 2 5 0" />
        </svg>
        Sluice
      </a>
      <LiveSign live={live} />
      <span class="grow" />
      <ThemeChoice />
      <SessionButton session={session} />
    </header>
  );
}

function LiveSign({ live: { connection, at } }: { live: Live }): JSX.Element {
  if (connection.kind === 'live' && at !== undefined) {
    return (
      <span class="live">
        <span class="dot green" aria-hidden="true" />
        Live<span class="wide"> · {toClock(at)}</span>
      </span>
    );
  }
  const isLost = connection.kind === 'lost';
  return (
    <span class="live">
      <span class={`dot ${isLost ? 'red' : 'gray'}`} aria-hidden="true" />
      {isLost
        ? `Connection lost${at === undefined ? '' : `, as of ${toClock(at)}`}`
        : 'Connecting …'}
    </span>
  );
}

const NEXT_THEME: Readonly<Record<Theme, Theme>> = {
  system: 'dark',
  dark: 'light',
  light: 'system',
};
const THEME_NAMES: Readonly<Record<Theme, string>> = {
  system: 'Theme: system',
  dark: 'Theme: dark',
  light: 'Theme: light',
};

function ThemeChoice(): JSX.Element {
  const [theme, setTheme] = useState(readTheme);
  const change = (): void => {
    const next = NEXT_THEME[theme];
    chooseTheme(next);
    setTheme(next);
  };
  return (
    <button
      type="button"
      class="plain"
      onClick={change}
      aria-label={THEME_NAMES[theme]}
      title={THEME_NAMES[theme]}
    >
      <svg viewBox="0 0 20 20" width="18" height="18" aria-hidden="true">
        <circle cx="10" cy="10" r="7" fill="none" stroke="currentColor" stroke-width="1.6" />
        <path d="M10 3a7 7 0 0 1 0 14z" fill="currentColor" />
      </svg>
    </button>
  );
}

function SessionButton({ session }: { session: Session }): JSX.Element | null {
  const dialog = useRef<HTMLDialogElement>(null);
  const { state } = session;
  if (state === undefined || !state.hasToken || !state.mayRead) return null;
  if (state.mayChange) {
    return (
      <button type="button" class="plain" onClick={() => void session.signOut()}>
        Sign out
      </button>
    );
  }
  return (
    <>
      <button type="button" class="plain" onClick={() => dialog.current?.showModal()}>
        Sign in
      </button>
      <dialog ref={dialog} aria-labelledby="sign-in-title">
        <h2 id="sign-in-title">Sign in</h2>
        <p class="quiet">With the token, this page can restore and download databases.</p>
        <SignIn session={session} done={() => dialog.current?.close()} />
        <button type="button" class="plain" onClick={() => dialog.current?.close()}>
          Cancel
        </button>
      </dialog>
    </>
  );
}
