/** WAL, checkpoints and staging against their limits. */

import type { ComponentChildren, JSX } from 'preact';
import { describeBytes, describeSeconds } from '../src/words.ts';
import type { Details } from './details.ts';
import { shortTXID } from './grid.tsx';
import { Panel } from './panel.tsx';

export function Limits({ details: { status, settings } }: { details: Details }): JSX.Element {
  const pageSize = status.pageSize ?? 0;
  const frame = pageSize + 24;
  const oldest = status.compaction ?? [];
  return (
    <Panel title="WAL, checkpoints and staging">
      {settings !== undefined && (
        <>
          <Meter
            label="Staging folder"
            value={status.stagedBytes}
            max={settings.stagingMaxBytes}
            note="beyond the limit, a destination that is behind gets a new full snapshot"
          />
          {pageSize > 0 && (
            <Meter
              label="WAL"
              value={status.walBytes}
              max={settings.truncatePages * frame}
              note={`a checkpoint is due at ${describeBytes(settings.checkpointPages * frame)}${settings.checkpointSeconds > 0 ? ` or after ${describeSeconds(settings.checkpointSeconds)}` : ''}; beyond the limit the WAL is truncated`}
            />
          )}
        </>
      )}
      <dl class="facts">
        <Fact name="Commits seen">{status.commitsSeen.toLocaleString('en-US')}</Fact>
        <Fact name="Newest staged TXID">
          <span class="txid">{shortTXID(status.txid)}</span>
        </Fact>
        <Fact name="WAL read completely">
          {describeSeconds(status.facts.lookAgeMs / 1_000)} ago
        </Fact>
        <Fact name="Staged files">{status.stagedFiles}</Fact>
        {oldest.map(({ level, merges, failures }) => (
          <Fact key={level} name={`Merges into level ${level}`}>
            {merges.toLocaleString('en-US')}
            {failures > 0 && <span class="bad">, {failures} failed</span>}
          </Fact>
        ))}
      </dl>
    </Panel>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

interface MeterProps {
  readonly label: string;
  readonly value: number;
  readonly max: number;
  readonly note: string;
}

/** A bar is red from this part of its limit on. */
const FULL = 0.9;

function Meter({ label, value, max, note }: MeterProps): JSX.Element {
  const part = max === 0 ? 0 : Math.min(1, value / max);
  const text = `${describeBytes(value)} of ${describeBytes(max)}`;
  return (
    <div class="meter" title={note}>
      <span>{label}</span>
      <span>{text}</span>
      <div
        class="bar"
        role="meter"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={max}
        aria-valuenow={Math.min(value, max)}
        aria-valuetext={`${text}; ${note}`}
      >
        <div class={part >= FULL ? 'fill full' : 'fill'} style={{ width: `${part * 100}%` }} />
      </div>
    </div>
  );
}
