/** Lag and throughput of the last hours. uPlot is loaded when it is needed. */

import type { JSX } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type uPlot from 'uplot';
import type { DatabaseSettings, Samples } from '../src/source.ts';
import { describeBytes, describeSeconds } from '../src/words.ts';
import { Panel } from './panel.tsx';
import { useWidth } from './hooks.ts';

const HEIGHT_PX = 170;
const COLORS = ['--plot-1', '--plot-2', '--plot-3', '--plot-4'];

const RANGES: readonly { readonly label: string; readonly seconds: number }[] = [
  { label: '15 min', seconds: 900 },
  { label: '1 h', seconds: 3_600 },
  { label: '6 h', seconds: 6 * 3_600 },
];

interface MeasurementsProps {
  readonly samples: Samples | undefined;
  readonly settings: DatabaseSettings | undefined;
}

export function Measurements({ samples, settings }: MeasurementsProps): JSX.Element {
  const [seconds, setSeconds] = useState(3_600);
  const shown = useMemo(() => samples && since(samples, seconds), [samples, seconds]);
  const limit =
    settings === undefined ? '' : ` (max-lag ${describeSeconds(settings.maxLagSeconds)})`;
  return (
    <Panel
      title="Lag and throughput"
      aside={
        <div class="choice" role="group" aria-label="Time shown">
          {RANGES.map((each) => (
            <button
              key={each.label}
              type="button"
              aria-pressed={seconds === each.seconds}
              onClick={() => setSeconds(each.seconds)}
            >
              {each.label}
            </button>
          ))}
        </div>
      }
    >
      {shown === undefined || shown.at.length < 2 ? (
        <p class="quiet">No measurements yet: one is taken every few seconds.</p>
      ) : (
        <div class="columns">
          <Plot
            title={`Lag${limit}`}
            at={shown.at}
            lines={shown.destinations.map(({ name, lagSeconds }) => ({ name, values: lagSeconds }))}
            format={describeSeconds}
          />
          <Plot
            title="Sent per second"
            at={shown.at}
            lines={shown.destinations.map(({ name, sentBytesPerSecond }) => ({
              name,
              values: sentBytesPerSecond,
            }))}
            format={describeBytes}
          />
          <Plot
            title="Commits per second"
            at={shown.at}
            lines={[{ name: 'commits', values: shown.commitsPerSecond }]}
            format={(value) => String(Math.round(value * 100) / 100)}
          />
          <Plot
            title="WAL and staging"
            at={shown.at}
            lines={[
              { name: 'WAL', values: shown.walBytes },
              { name: 'staged', values: shown.stagedBytes },
            ]}
            format={describeBytes}
          />
        </div>
      )}
    </Panel>
  );
}

function since(samples: Samples, seconds: number): Samples {
  const from = (samples.at.at(-1) ?? 0) - seconds;
  const found = samples.at.findIndex((at) => at >= from);
  const first = found < 0 ? samples.at.length : found;
  const cut = <T,>(values: readonly T[]): readonly T[] => values.slice(first);
  return {
    ...samples,
    at: cut(samples.at),
    walBytes: cut(samples.walBytes),
    stagedBytes: cut(samples.stagedBytes),
    commitsPerSecond: cut(samples.commitsPerSecond),
    destinations: samples.destinations.map(({ name, lagSeconds, sentBytesPerSecond }) => ({
      name,
      lagSeconds: cut(lagSeconds),
      sentBytesPerSecond: cut(sentBytesPerSecond),
    })),
  };
}

interface PlotLine {
  readonly name: string;
  readonly values: readonly (number | null)[];
}

interface PlotProps {
  readonly title: string;
  readonly at: readonly number[];
  readonly lines: readonly PlotLine[];
  readonly format: (value: number) => string;
}

function Plot({ title, at, lines, format }: PlotProps): JSX.Element {
  const [box, width] = useWidth();
  const plot = useRef<uPlot | undefined>(undefined);
  const data = useMemo<uPlot.AlignedData>(
    () => [[...at], ...lines.map(({ values }) => [...values])],
    [at, lines],
  );
  const latest = useRef(data);
  latest.current = data;
  const [theme, setTheme] = useState(0);
  useEffect(() => {
    const change = (): void => setTheme((count) => count + 1);
    const media = matchMedia('(prefers-color-scheme: dark)');
    addEventListener('themechange', change);
    media.addEventListener('change', change);
    return () => {
      removeEventListener('themechange', change);
      media.removeEventListener('change', change);
    };
  }, []);
  const names = lines.map(({ name }) => name).join('\n');
  useEffect(() => {
    let isOpen = true;
    void import('./uplot.ts').then(({ UPlot }) => {
      if (!isOpen || box.current === null) return;
      const options = toOptions({
        names: names.split('\n'),
        format,
        width: box.current.clientWidth,
      });
      plot.current = new UPlot(options, latest.current, box.current);
      showLatest(plot.current);
    });
    return () => {
      isOpen = false;
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [names, theme]);
  useEffect(() => {
    plot.current?.setData(data);
    if (plot.current !== undefined) showLatest(plot.current);
  }, [data]);
  useEffect(() => {
    if (width > 0) plot.current?.setSize({ width, height: HEIGHT_PX });
  }, [width]);
  return (
    <div>
      <h3>{title}</h3>
      <div class="plot" role="img" aria-label={`${title}. ${describe(lines, format)}`} ref={box} />
    </div>
  );
}

/** The legend shows the newest values, until somebody points at others. */
function showLatest(plot: uPlot): void {
  plot.setLegend({ idx: plot.data[0].length - 1 });
}

interface PlotOptions {
  readonly names: readonly string[];
  readonly format: (value: number) => string;
  readonly width: number;
}

function toOptions({ names, format, width }: PlotOptions): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const color = (name: string): string => style.getPropertyValue(name).trim();
  const two = (value: number): string => String(value).padStart(2, '0');
  const clock = (seconds: number, isExact: boolean): string => {
    const at = new Date(seconds * 1_000);
    const time = `${two(at.getHours())}:${two(at.getMinutes())}`;
    return isExact ? `${time}:${two(at.getSeconds())}` : time;
  };
  const axis = {
    stroke: color('--quiet'),
    font: '12px system-ui, sans-serif',
    grid: { stroke: color('--line'), width: 1 },
    ticks: { stroke: color('--line'), width: 1 },
  };
  return {
    width,
    height: HEIGHT_PX,
    cursor: { drag: { x: false, y: false } },
    legend: { live: true },
    scales: { y: { range: (_, __, max) => [0, max > 0 ? max * 1.1 : 1] } },
    axes: [
      {
        ...axis,
        space: 64,
        values: (_, ticks, __, ___, stepSeconds) =>
          ticks.map((each) => clock(each, stepSeconds < 60)),
      },
      { ...axis, size: 74, values: (_, ticks) => ticks.map((each) => format(each)) },
    ],
    series: [
      { label: 'time', value: (_, at) => (at === null ? '–' : clock(at, true)) },
      ...names.map((label, index) => ({
        label,
        stroke: color(COLORS[index % COLORS.length] ?? '--plot-1'),
        width: 1.5,
        points: { show: false },
        value: (_: uPlot, value: number | null) => (value === null ? '–' : format(value)),
      })),
    ],
  };
}

/** The plot in words. */
function describe(lines: readonly PlotLine[], format: (value: number) => string): string {
  return lines
    .map(({ name, values }) => {
      const known = values.filter((value) => value !== null);
      if (known.length === 0) return `${name}: not measured`;
      return `${name}: now ${format(known.at(-1) ?? 0)}, at most ${format(Math.max(...known))}`;
    })
    .join('; ');
}
