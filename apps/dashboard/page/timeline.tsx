/** Draws what can be restored from each destination over time. The slider below chooses a moment, by mouse or keys. */

import type { JSX } from 'preact';
import type { DestinationHistory, DrillSummary } from '../src/source.ts';
import { toClock } from '../src/words.ts';
import { useWidth } from './hooks.ts';

const LANE_PX = 50;
const NAME_PX = 16;
const BAR_PX = 16;
const AXIS_PX = 20;
/** Narrower parts would be invisible. */
const PART_PX_MIN = 3;
/** How opaque the bars of a level are: lower levels have more moments. */
const OPACITIES = [1, 0.72, 0.55, 0.42, 0.34, 0.3, 0.28, 0.26, 0.24, 0.24];
const STEPS = 1_000;

export interface TimeRange {
  readonly startMs: number;
  readonly endMs: number;
}

interface TimelineProps {
  readonly histories: readonly DestinationHistory[];
  readonly drills: readonly DrillSummary[];
  readonly range: TimeRange;
  readonly chosenMs: number | undefined;
  readonly choose: (ms: number | undefined) => void;
}

export function Timeline({
  histories,
  drills,
  range,
  chosenMs,
  choose,
}: TimelineProps): JSX.Element {
  const [box, width] = useWidth();
  const lengthMs = Math.max(1, range.endMs - range.startMs);
  const toX = (at: string): number => ((Date.parse(at) - range.startMs) / lengthMs) * width;
  const height = histories.length * LANE_PX + AXIS_PX;
  const at = Math.min(range.endMs, Math.max(range.startMs, chosenMs ?? range.endMs));
  const chosenX = ((at - range.startMs) / lengthMs) * width;
  const pick = (event: MouseEvent): void => {
    const { left } = (event.currentTarget as Element).getBoundingClientRect();
    const part = Math.min(1, Math.max(0, (event.clientX - left) / Math.max(1, width)));
    choose(part >= 1 ? undefined : Math.round(range.startMs + part * lengthMs));
  };
  return (
    <div class="timeline" ref={box}>
      <svg
        height={height}
        viewBox={`0 0 ${Math.max(1, width)} ${height}`}
        role="img"
        aria-label={histories.map(describe).join('. ')}
        onClick={pick}
      >
        {histories.map((history, index) => (
          <Lane
            key={history.replica}
            history={history}
            drill={drills.find(({ destination }) => destination === history.replica)}
            topPx={index * LANE_PX}
            widthPx={width}
            toX={toX}
          />
        ))}
        <line class="chosen" x1={chosenX} x2={chosenX} y1={NAME_PX} y2={height - AXIS_PX + 4} />
        <text x={0} y={height - 4}>
          {toClock(new Date(range.startMs).toISOString())}
        </text>
        <text x={width} y={height - 4} text-anchor="end">
          {toClock(new Date(range.endMs).toISOString())}
        </text>
      </svg>
      <input
        type="range"
        aria-label="Moment to restore"
        aria-valuetext={toClock(new Date(at).toISOString())}
        min={0}
        max={STEPS}
        value={Math.round(((at - range.startMs) / lengthMs) * STEPS)}
        onInput={({ currentTarget }) => {
          const part = Number(currentTarget.value) / STEPS;
          choose(part >= 1 ? undefined : Math.round(range.startMs + part * lengthMs));
        }}
      />
      <Legend histories={histories} />
    </div>
  );
}

interface LaneProps {
  readonly history: DestinationHistory;
  readonly drill: DrillSummary | undefined;
  readonly topPx: number;
  readonly widthPx: number;
  readonly toX: (at: string) => number;
}

function Lane({ history, drill, topPx, widthPx, toX }: LaneProps): JSX.Element {
  const barY = topPx + NAME_PX + 6;
  const clip = (x: number): number => Math.min(widthPx, Math.max(0, x));
  const part = (from: number, to: number): { x: number; width: number } | undefined => {
    if (to < 0 || from > widthPx) return undefined;
    const x = Math.min(clip(from), Math.max(0, widthPx - PART_PX_MIN));
    return { x, width: Math.max(PART_PX_MIN, clip(to) - x) };
  };
  // The highest level first, so that a lower one is drawn over it.
  const spans = (history.spans ?? []).toSorted((a, b) => b.level - a.level);
  return (
    <g>
      <text class="name" x={0} y={topPx + 12}>
        {history.replica}
      </text>
      <line class="axis" x1={0} x2={widthPx} y1={barY + BAR_PX / 2} y2={barY + BAR_PX / 2} />
      {spans.map(({ level, from, to, files }) => {
        const at = part(toX(from.timestamp), toX(to.timestamp));
        return (
          at && (
            <rect
              key={`${level} ${from.txid}`}
              class="span"
              {...at}
              y={barY}
              height={BAR_PX}
              rx={2}
              opacity={OPACITIES[level] ?? 0.25}
            >
              <title>{`level ${level}: ${files} files, ${toClock(from.timestamp)} to ${toClock(to.timestamp)}`}</title>
            </rect>
          )
        );
      })}
      {(history.gaps ?? []).map(({ before, after, from_txid }) => {
        const start = before?.timestamp ?? history.first?.timestamp ?? '';
        const at = part(toX(start), after === undefined ? widthPx : toX(after.timestamp));
        return (
          at && (
            <rect key={from_txid} class="gap" {...at} y={barY} height={BAR_PX}>
              <title>gap: nothing in it can be restored from here</title>
            </rect>
          )
        );
      })}
      {(history.snapshots ?? []).map(({ timestamp, txid }) => {
        const x = toX(timestamp);
        if (x < -1 || x > widthPx + 1) return null;
        return (
          <Diamond
            key={txid}
            x={clip(x)}
            y={barY + BAR_PX / 2}
            title={`snapshot of ${toClock(timestamp)}`}
          />
        );
      })}
      {drillsOf(drill).map((each) => (
        <DrillMark key={each.at} drill={each} x={toX(each.at)} widthPx={widthPx} y={topPx + 10} />
      ))}
    </g>
  );
}

function Diamond({ x, y, title }: { x: number; y: number; title: string }): JSX.Element {
  return (
    <path class="snapshot" d={`M${x} ${y - 7}l6 7l-6 7l-6 -7z`}>
      <title>{title}</title>
    </path>
  );
}

type DrawnDrill = Pick<NonNullable<DrillSummary['last']>, 'result' | 'at'>;

/** The oldest first, so that the last one is drawn over it. */
function drillsOf({ last, earlier = [] }: Partial<DrillSummary> = {}): readonly DrawnDrill[] {
  return last === undefined ? [] : [last, ...earlier].toReversed();
}

interface DrillMarkProps {
  readonly drill: DrawnDrill;
  readonly x: number;
  readonly widthPx: number;
  readonly y: number;
}

/** A drill after the newest state is drawn at the end. */
function DrillMark({ drill: { result, at }, x, widthPx, y }: DrillMarkProps): JSX.Element | null {
  if (x < 0) return null;
  const center = Math.min(Math.max(7, widthPx - 7), Math.max(7, x));
  const isOk = result === 'ok';
  const shape = isOk ? `M${center - 5} ${y}l3.5 4l7 -8` : `M${center - 4} ${y - 4}l8 8m0 -8l-8 8`;
  return (
    <path class={isOk ? 'drill' : 'drill failed'} d={shape}>
      <title>{`drill ${result}, ${toClock(at)}`}</title>
    </path>
  );
}

function Legend({ histories }: { histories: readonly DestinationHistory[] }): JSX.Element {
  const levels = new Set(histories.flatMap(({ spans = [] }) => spans.map(({ level }) => level)));
  const hasGaps = histories.some(({ gaps = [] }) => gaps.length > 0);
  return (
    <ul class="legend">
      {[...levels]
        .sort((a, b) => a - b)
        .map((level) => (
          <li key={level}>
            <svg aria-hidden="true">
              <rect class="span" width="16" height="12" rx="2" opacity={OPACITIES[level] ?? 0.25} />
            </svg>
            {level === 9 ? 'single snapshot' : `level ${level}`}
          </li>
        ))}
      <li>
        <svg aria-hidden="true">
          <path class="snapshot" d="M8 0.5l5.5 5.5l-5.5 5.5l-5.5 -5.5z" />
        </svg>
        snapshot
      </li>
      <li>
        <svg aria-hidden="true">
          <path class="drill" d="M3 6l3.5 4l7 -8" />
        </svg>
        drill
      </li>
      {hasGaps && (
        <li>
          <svg aria-hidden="true">
            <rect class="gap" width="16" height="12" />
          </svg>
          gap
        </li>
      )}
    </ul>
  );
}

/** The same in words, for a screen reader. */
function describe(history: DestinationHistory): string {
  const { replica, first, newest, moments_total: total = 0, gaps_total: gaps = 0 } = history;
  if (first === undefined || newest === undefined) return `${replica}: nothing can be restored`;
  return (
    `${replica}: ${total} moments from ${toClock(first.timestamp)} to ${toClock(newest.timestamp)}, ` +
    `${history.snapshots_total ?? 0} snapshots, ${gaps} gaps`
  );
}
