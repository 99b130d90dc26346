/**
 * Which times of files are to be believed. Pure.
 *
 * Times rise with TXIDs as long as the writer's clock does. Where they do not, that clock was wrong
 * for a while, and nothing in the files says when. What is believed is then:
 * - of a file that bears a later time than that of its own upload, the upload: it was committed
 *   before. Unless this is so of all files: then it is the server's clock that is wrong;
 * - of these times, as many as possible that rise; of equal choices the later ones, because clocks
 *   are set right rather than wrong.
 */

/** A time that was read of a file, and when the file was uploaded, by the server's clock. */
export interface FileTime {
  readonly timeMs: number;
  readonly uploadedMs: number;
}

/** Clocks of a writer and of a server may differ by this without meaning anything. */
const SKEW_MS_MAX = 5 * 60_000;

/** For each of `times`, which are in the order of TXIDs, the time that is believed, if there is one. */
export function trustedTimes(times: readonly FileTime[]): (number | undefined)[] {
  const isAhead = times.map(({ timeMs, uploadedMs }) => timeMs - uploadedMs > SKEW_MS_MAX);
  const isServerWrong = isAhead.every((ahead) => ahead);
  const likely = times.map(({ timeMs, uploadedMs }, place) =>
    isAhead[place] && !isServerWrong ? uploadedMs : timeMs,
  );
  const rising = new Set(longestRise(likely));
  return likely.map((time, place) => (rising.has(place) ? time : undefined));
}

/** Places of the longest sequence in `values` that never falls; of equally long ones the latest. */
function longestRise(values: readonly number[]): number[] {
  // From the end: the longest rise that begins with each value, and where it goes on.
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
