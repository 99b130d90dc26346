/**
 * Parses the times that people write. Pure: the clock is a parameter. The time zone of local times is
 * that of the process (TZ).
 *
 *  form        examples                                     meaning
 *  RFC 3339    2026-11-29T14:00:00Z, …T14:00:00.25+01:00    that moment; also without seconds, …T14:00Z, with a
 *              2026-11-29 14:00 UTC, 2026-11-29 14:00 +0100 space before the zone, and without its colon
 *  local       2026-11-29 14:00, 2026-11-29T14:00:05        on this machine's clock
 *  date        2026-11-29                                   the first moment of that day on this machine's clock
 *  day, time   today 09:30, yesterday 14:00:05              on this machine's clock
 *  ago         30s, 2h, 2h ago, 1h30m, 3 days ago           before now; a day has 24 hours
 */

export type ParsedTime =
  | { readonly kind: 'time'; readonly at: Date }
  /** `why` continues a sentence about the text: "does not exist in the calendar". */
  | { readonly kind: 'impossible'; readonly why: string }
  | { readonly kind: 'unknown' };

/** Examples for messages and help. */
export const TIME_EXAMPLES =
  '2026-01-31T12:00:00Z, "2026-01-31 12:00 +01:00", "2026-01-31 14:00" (local time), 2026-01-31 (its start), "yesterday 14:00" or "2h ago"';

const TIME = String.raw`\d\d?:\d\d(?::\d\d(?:\.\d+)?)?`;
const ZONED =
  /^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d)(:\d\d(?:\.\d+)?)? ?(?:(Z|UTC|GMT)|([+-]\d\d):?(\d\d))$/i;
const LOCAL = new RegExp(`^(\\d{4}-\\d\\d-\\d\\d)[Tt ](${TIME})$`);
const DATE = /^\d{4}-\d\d-\d\d$/;
const DAY = new RegExp(`^(today|yesterday) (${TIME})$`, 'i');
const UNIT = String.raw`(?:ms|s|secs?|seconds?|m|mins?|minutes?|h|hours?|d|days?)`;
const AGO = new RegExp(`^(?:\\d+(?:\\.\\d+)? ?${UNIT} ?)+(?:ago)?$`, 'i');
const AMOUNT = new RegExp(`(\\d+(?:\\.\\d+)?) ?(ms|[smhd])`, 'gi');
const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const NOT_A_DATE: ParsedTime = { kind: 'impossible', why: 'does not exist in the calendar' };

/** Parses one of the forms above. */
export function parseTime(text: string, now: Date): ParsedTime {
  const trimmed = text.trim();
  const absolute = ZONED.exec(trimmed);
  if (absolute !== null) {
    const [, day = '', minutes = '', seconds = ':00', isUTC, hours = '', rest = ''] = absolute;
    const zone = isUTC === undefined ? `${hours}:${rest}` : 'Z';
    const written = `${day}T${minutes}${seconds}`;
    const at = new Date(`${written}${zone}`);
    const exists = isInCalendar(written) && !Number.isNaN(at.getTime());
    return exists ? { kind: 'time', at } : NOT_A_DATE;
  }
  const local = LOCAL.exec(trimmed);
  if (local !== null) return toLocalTime(local[1] ?? '', local[2] ?? '');
  if (DATE.test(trimmed)) return toStartOfDay(trimmed);
  const day = DAY.exec(trimmed);
  if (day !== null) {
    const back = day[1]?.toLowerCase() === 'yesterday' ? 1 : 0;
    const noon = new Date(now.getFullYear(), now.getMonth(), now.getDate() - back, 12);
    return toLocalTime(dayOf(noon), day[2] ?? '');
  }
  if (!AGO.test(trimmed)) return { kind: 'unknown' };
  let agoMs = 0;
  for (const [, amount = '', unit = ''] of trimmed.matchAll(AMOUNT)) {
    agoMs += Number(amount) * (UNIT_MS[unit.toLowerCase()] ?? Number.NaN);
  }
  const at = new Date(now.getTime() - Math.round(agoMs));
  return Number.isNaN(at.getTime()) ? NOT_A_DATE : { kind: 'time', at };
}

/** JavaScript turns February 30 into March 2, and 24:00 into the next day. */
function isInCalendar(written: string): boolean {
  const seconds = written.slice(0, 'YYYY-MM-DDTHH:MM:SS'.length);
  const at = new Date(`${seconds}Z`);
  return !Number.isNaN(at.getTime()) && at.toISOString().startsWith(seconds);
}

/** The offsets between a local time and the same local time after the clock was put back. */
const SHIFTS_MS = [-120, -60, -30, 30, 60, 120].map((minutes) => minutes * 60_000);

/** Refuses local times that do not exist, or exist twice, because the clock was changed. */
function toLocalTime(day: string, time: string): ParsedTime {
  const [clock = '', fraction = ''] = time
    .padStart(time.indexOf(':') === 1 ? time.length + 1 : 0, '0')
    .split('.');
  const seconds = clock.length === 'HH:MM'.length ? `${clock}:00` : clock;
  const written = `${day}T${seconds}`;
  if (!isInCalendar(written)) return NOT_A_DATE;
  const at = new Date(`${written}.${fraction.padEnd(3, '0')}`); // without a zone, it is local
  if (!localOf(at).startsWith(written)) {
    return {
      kind: 'impossible',
      why: 'does not exist here, because the clock was put forward then',
    };
  }
  const twin = SHIFTS_MS.map((shift) => new Date(at.getTime() + shift)).find((other) =>
    localOf(other).startsWith(written),
  );
  if (twin === undefined) return { kind: 'time', at };
  const [first, second] = [at, twin].map((each) => each.toISOString()).sort();
  return {
    kind: 'impossible',
    why: `happened twice here, because the clock was put back then: choose ${first} or ${second}`,
  };
}

/** Midnight; if the clock was changed then, the first moment of the day. */
function toStartOfDay(day: string): ParsedTime {
  if (!isInCalendar(`${day}T00:00:00`)) return NOT_A_DATE;
  const at = new Date(`${day}T00:00:00`); // without a zone, it is local: after a gap, or the first of two
  return localOf(at).startsWith(day) ? { kind: 'time', at } : NOT_A_DATE;
}

function localOf(at: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':');
  return `${dayOf(at)}T${time}`;
}

function dayOf(at: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const year = String(at.getFullYear()).padStart(4, '0');
  return `${year}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
}
