/**
 * Decides which file times to trust. Pure.
 *
 * Times rise with TXIDs as long as the writer's clock does. If they do not, that clock was wrong
 * for a while, and the files do not say when. The rules are then:
 * - A file whose time is later than its upload gets the time of its upload, because it was committed
 *   before that. If this is true for all files, the server's clock is wrong instead, and the rule
 *   is skipped.
 * - Of these times, trust the longest rising sequence. If several are equally long, trust the later
 *   one, because clocks are more often corrected than broken.
 */

/** The time in a file, and the time of its upload according to the server's clock. */
export interface FileTime {
  readonly timeMs: number;
  readonly uploadedMs: number;
}

/** Normal difference between the clocks of a writer and a server. */
const SKEW_MS_MAX = 5 * 60_000;

/** `times` are in the order of TXIDs. The result has the trusted time of each, if there is one. */
export function trustedTimes(times: readonly FileTime[]): (number | undefined)[] {
  const isAhead = times.map(({ timeMs, uploadedMs }) => timeMs - uploadedMs > SKEW_MS_MAX);
  const isServerWrong = isAhead.every((ahead) => ahead);
  const likely = times.map(({ timeMs, uploadedMs }, place) =>
    isAhead[place] && !isServerWrong ? uploadedMs : timeMs,
  );
  const rising = new Set(longestRise(likely));
  return likely.map((time, place) => (rising.has(place) ? time : undefined));
}

/**
 * Indexes of the longest sequence in `values` that never falls; of equally long ones the latest.
 */
function longestRise(values: readonly number[]): number[] {
  // From the end: the longest rise that starts with each value, and the next value in it.
  const lengths: number[] = Array.from({ length: values.length }, () => 1);
  const nexts: number[] = Array.from({ length: values.length }, () => -1);
  let first = values.length - 1;
  for (let place = values.length - 1; place >= 0; place--) {
    for (let next = values.length - 1; next > place; next--) {
      const length = (lengths[next] ?? 0) + 1;
      if ((values[next] ?? 0) < (values[place] ?? 0) || length <= (lengths[place] ?? 0)) continue;
      lengths[place] = length;
      nexts[place] = next;
    }
    if ((lengths[place] ?? 0) > (lengths[first] ?? 0)) first = place;
  }
  const places: number[] = [];
  for (let place = first; place >= 0; place = nexts[place] ?? -1) places.push(place);
  return places;
}
