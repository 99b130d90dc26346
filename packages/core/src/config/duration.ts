/**
 * Durations as in Go and in Litestream's configuration: `1s`, `5m`, `1h30m`, `500ms`; and in days, which those
 * refuse: `7d`.
 *
 *  unit  ns    us, µs   ms   s      m       h          d
 *  ms    1e-6  1e-3     1    1,000  60,000  3,600,000  86,400,000
 *
 * Valid if and only if it is "0", or one or more pairs of a decimal number and a unit without spaces.
 * Negative durations are invalid. A day has 24 hours.
 */

const UNIT_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3, // U+00B5
  μs: 1e-3, // U+03BC
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const DURATION = /^\+?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h|d))+$/;
const PAIR = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h|d)/g;

/** The duration in milliseconds; undefined if the text is not a duration. */
export function parseDuration(text: string): number | undefined {
  if (/^\+?0$/.test(text)) return 0;
  if (!DURATION.test(text)) return undefined;
  let ms = 0;
  for (const [, amount = '', unit = ''] of text.matchAll(PAIR)) {
    ms += Number(amount) * (UNIT_MS[unit] ?? 0);
  }
  return ms <= Number.MAX_SAFE_INTEGER ? ms : undefined;
}

/** The shortest form: 5400000 is `1h30m`, 1500 is `1.5s`. For messages and defaults. */
export function formatDuration(ms: number): string {
  if (ms < 1_000) return ms === 0 ? '0s' : `${ms}ms`;
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor((ms % 3_600_000) / 60_000);
  const seconds = (ms % 60_000) / 1_000;
  return [
    hours > 0 ? `${hours}h` : '',
    minutes > 0 ? `${minutes}m` : '',
    seconds > 0 ? `${seconds}s` : '',
  ].join('');
}
