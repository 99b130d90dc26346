/** Starts the page: the overview, or one database, by the part of the address after `#`. */

import { render, type JSX } from 'preact';
import { useEffect, useMemo } from 'preact/hooks';
import { judge } from '../src/verdict.ts';
import { DatabaseView } from './database.tsx';
import { Header } from './header.tsx';
import { serverNow, useLive } from './live.ts';
import { Overview } from './overview.tsx';
import { SignIn, useSession } from './session.tsx';
import { applyTheme } from './theme.ts';
import { useNow, useRoute } from './hooks.ts';
import './styles.css';

/** Overdue drills are noticed within this time. */
const JUDGE_MS = 10_000;

function App(): JSX.Element {
  const session = useSession();
  const mayRead = session.state?.mayRead;
  const live = useLive(mayRead === true);
  const now = useNow(JUDGE_MS);
  const [path, open] = useRoute();
  const verdict = useMemo(
    () =>
      judge({
        connection: live.connection,
        unreadable: live.unreadable,
        databases: live.databases,
        nowMs: serverNow(live),
      }),
    [live, now],
  );
  useEffect(() => {
    const sign = { red: '✕', amber: '!', green: '✓', gray: '…' }[verdict.color];
    const name = path?.split('/').at(-1);
    document.title = `${sign} ${name === undefined ? verdict.answer : name} – Sluice`;
  }, [verdict, path]);
  const isLost = live.connection.kind === 'lost';
  useEffect(() => {
    if (isLost) session.reload();
  }, [isLost]);
  const row = path === undefined ? undefined : live.databases?.find((each) => each.path === path);
  return (
    <>
      <a class="skip" href="#main" onClick={skipToMain}>
        Skip to the content
      </a>
      <Header live={live} session={session} />
      <main id="main" tabIndex={-1}>
        {mayRead === false ? (
          <section class="panel narrow">
            <h1>{session.state?.hasToken === true ? 'Sign in' : 'Not readable here'}</h1>
            <p class="quiet">{session.state?.refusal}</p>
            {session.state?.hasToken === true && <SignIn session={session} />}
          </section>
        ) : path === undefined ? (
          <Overview live={live} verdict={verdict} open={open} />
        ) : (
          <DatabaseView
            key={path}
            path={path}
            row={row}
            live={live}
            session={session}
            close={() => open(undefined)}
          />
        )}
      </main>
    </>
  );
}

/** The address after `#` is the database, so the link must not change it. */
function skipToMain(event: Event): void {
  event.preventDefault();
  document.getElementById('main')?.focus();
}

applyTheme();
const root = document.getElementById('app');
if (root !== null) render(<App />, root);
