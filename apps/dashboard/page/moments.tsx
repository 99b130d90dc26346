/** What can be restored: the timeline, the chosen moment, and what its restore would read. */

import type { JSX } from 'preact';
import { useEffect, useMemo, useState } from 'preact/hooks';
import type {
  DatabaseSettings,
  DestinationHistory,
  DrillSummary,
  PlanView,
} from '../src/source.ts';
import { describeBytes, toClock } from '../src/words.ts';
import { get } from './api.ts';
import { Panel } from './panel.tsx';
import { useLoaded } from './hooks.ts';
import { RestoreActions } from './restore.tsx';
import type { Session } from './session.tsx';
import { Timeline, type TimeRange } from './timeline.tsx';
import { restoreCommand } from './command.ts';

/** A plan is read when the moment has not changed for this long. */
const SETTLE_MS = 300;

const WINDOWS: readonly { readonly label: string; readonly ms: number }[] = [
  { label: '1 h', ms: 3_600_000 },
  { label: '24 h', ms: 86_400_000 },
  { label: '7 days', ms: 7 * 86_400_000 },
  { label: 'All', ms: Infinity },
];

interface MomentsProps {
  readonly path: string;
  readonly drills: readonly DrillSummary[] | undefined;
  readonly settings: DatabaseSettings | undefined;
  readonly session: Session;
}

export function Moments({ path, drills, settings, session }: MomentsProps): JSX.Element {
  const [reading, setReading] = useState(0);
  const { value, error, isLoading } = useLoaded(
    `${path} ${reading}`,
    async (signal) => await get<readonly DestinationHistory[]>('history', { db: path }, signal),
  );
  const [windowMs, setWindowMs] = useState(Infinity);
  /** undefined: the newest state. */
  const [chosen, setChosen] = useState<number>();
  const range = useMemo(() => rangeOf(value ?? []), [value]);
  const shown = range && {
    startMs: Math.max(range.startMs, range.endMs - windowMs),
    endMs: range.endMs,
  };
  return (
    <Panel
      title="Restorable moments"
      aside={
        <>
          <div class="choice" role="group" aria-label="Time shown">
            {WINDOWS.map(({ label, ms }) => (
              <button
                key={label}
                type="button"
                aria-pressed={windowMs === ms}
                onClick={() => setWindowMs(ms)}
              >
                {label}
              </button>
            ))}
          </div>
          <button type="button" disabled={isLoading} onClick={() => setReading(reading + 1)}>
            {isLoading ? 'Reading …' : 'Read again'}
          </button>
        </>
      }
    >
      {error !== undefined && <p class="error">The destinations cannot be read: {error}</p>}
      {value === undefined && isLoading && <p class="quiet">Reading the destinations …</p>}
      {value?.map(({ replica, error: failure }) =>
        failure === undefined ? null : (
          <p key={replica} class="error">
            {replica} cannot be read: {failure.message}
          </p>
        ),
      )}
      {value !== undefined && shown === undefined && (
        <p class="quiet">Nothing can be restored yet.</p>
      )}
      {value !== undefined && shown !== undefined && (
        <>
          <Timeline
            histories={value}
            drills={drills ?? []}
            range={shown}
            chosenMs={chosen}
            choose={setChosen}
          />
          <Doubts histories={value} />
          <Chosen
            path={path}
            chosenMs={chosen}
            choose={setChosen}
            endMs={shown.endMs}
            settings={settings}
            session={session}
            reading={reading}
          />
        </>
      )}
    </Panel>
  );
}

function Doubts({ histories }: { histories: readonly DestinationHistory[] }): JSX.Element {
  return (
    <>
      {histories.map(({ replica, doubt, gaps_total: gaps = 0 }) => (
        <>
          {doubt !== undefined && (
            <p class="error">
              {replica}: {doubt}
            </p>
          )}
          {gaps > 0 && (
            <p class="error">
              {replica} has {gaps} {gaps === 1 ? 'gap' : 'gaps'}: moments in it can be restored only
              if another destination has them. Next: sluice repair.
            </p>
          )}
        </>
      ))}
    </>
  );
}

function rangeOf(histories: readonly DestinationHistory[]): TimeRange | undefined {
  const times = histories.flatMap(({ first, newest }) =>
    [first, newest].flatMap((each) => (each === undefined ? [] : [Date.parse(each.timestamp)])),
  );
  if (times.length === 0) return undefined;
  return { startMs: Math.min(...times), endMs: Math.max(...times) };
}

interface ChosenProps {
  readonly path: string;
  readonly chosenMs: number | undefined;
  readonly choose: (ms: number | undefined) => void;
  readonly endMs: number;
  readonly settings: DatabaseSettings | undefined;
  readonly session: Session;
  readonly reading: number;
}

function Chosen(props: ChosenProps): JSX.Element {
  const { path, chosenMs, choose, endMs, settings, session, reading } = props;
  const [settled, setSettled] = useState(chosenMs);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(chosenMs), SETTLE_MS);
    return () => clearTimeout(timer);
  }, [chosenMs]);
  const at = settled === undefined ? undefined : new Date(settled).toISOString();
  const query: Record<string, string> = at === undefined ? { db: path } : { db: path, at };
  const {
    value: plan,
    error,
    isLoading,
  } = useLoaded(
    `${path} ${at ?? ''} ${reading}`,
    async (signal) => await get<PlanView>('plan', query, signal),
  );
  const command = restoreCommand({
    path,
    at,
    configFile: settings?.configFile,
    restoreFrom: settings?.restoreFrom,
  });
  const isSettled = settled === chosenMs && !isLoading;
  return (
    <div class="plan">
      <div class="row">
        <label>
          Moment to restore (local time)
          <input
            type="datetime-local"
            step="1"
            value={toLocal(chosenMs ?? endMs)}
            onChange={({ currentTarget }) => {
              const ms = Date.parse(currentTarget.value);
              if (!Number.isNaN(ms)) choose(ms);
            }}
          />
        </label>
        <button
          type="button"
          aria-pressed={chosenMs === undefined}
          onClick={() => choose(undefined)}
        >
          Newest
        </button>
      </div>
      <div aria-live="polite" aria-busy={!isSettled} class={isSettled ? undefined : 'faded'}>
        {error !== undefined && <p class="error">{error}</p>}
        {plan !== undefined && <PlanText plan={plan} />}
      </div>
      <CommandLine command={command} />
      {plan !== undefined && <RestoreActions path={path} at={at} session={session} />}
    </div>
  );
}

function PlanText({ plan }: { plan: PlanView }): JSX.Element {
  const { txid, timestamp, from, bytes, fileCount, files, notes } = plan;
  return (
    <>
      <p>
        Restores the state of <strong>{timestamp === undefined ? '?' : toClock(timestamp)}</strong>
        {txid !== undefined && (
          <>
            {' '}
            (TXID <span class="txid">{txid.replace(/^0+(?=.)/, '')}</span>)
          </>
        )}{' '}
        and reads{' '}
        <strong>
          {fileCount} {fileCount === 1 ? 'file' : 'files'}, {describeBytes(bytes)}
        </strong>{' '}
        from {from.map(({ name }) => name).join(' and ')}.
      </p>
      {notes.map((note) => (
        <p key={note} class="quiet">
          {note}
        </p>
      ))}
      <details>
        <summary>Files that are read</summary>
        <div class="scroll" tabIndex={0} role="region" aria-label="Files that are read">
          <table>
            <tbody>
              {files.map(({ name, level, size, replica }) => (
                <tr key={`${level} ${name}`}>
                  <td>{level === undefined ? '' : level === 9 ? 'snapshot' : `level ${level}`}</td>
                  <td class="txid">{name}</td>
                  <td class="number">{describeBytes(size)}</td>
                  <td>{replica}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
        {files.length < fileCount && <p class="quiet">and {fileCount - files.length} more</p>}
      </details>
    </>
  );
}

function CommandLine({ command }: { command: string }): JSX.Element {
  const [copied, setCopied] = useState<string>();
  useEffect(() => setCopied(undefined), [command]);
  const copy = (): void => {
    // Without https, a browser has no clipboard for us: then the text is selected, to be copied by hand.
    if (!isSecureContext) select();
    else {
      navigator.clipboard.writeText(command).then(
        () => setCopied('Copied'),
        () => select(),
      );
    }
  };
  const select = (): void => {
    const code = document.getElementById('restore-command');
    if (code !== null) getSelection()?.selectAllChildren(code);
    setCopied('Selected');
  };
  return (
    <div class="command">
      <code id="restore-command">{command}</code>
      <button type="button" onClick={copy} aria-live="polite">
        {copied ?? 'Copy'}
      </button>
    </div>
  );
}

function toLocal(ms: number): string {
  const at = new Date(ms);
  return new Date(ms - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}
