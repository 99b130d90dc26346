/** Small hooks that several parts use. */

import { useCallback, useEffect, useRef, useState } from 'preact/hooks';

/** The time, again after each interval. */
export function useNow(intervalMs: number): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), intervalMs);
    return () => clearInterval(timer);
  }, [intervalMs]);
  return now;
}

const PREFIX = '#db=';

/** The database in the address, and a function that opens another one; undefined is the overview. */
export function useRoute(): [string | undefined, (path: string | undefined) => void] {
  const [path, setPath] = useState(readRoute);
  useEffect(() => {
    const change = (): void => setPath(readRoute());
    addEventListener('hashchange', change);
    return () => removeEventListener('hashchange', change);
  }, []);
  const open = useCallback((next: string | undefined) => {
    location.hash = next === undefined ? '' : linkTo(next);
    scrollTo(0, 0);
  }, []);
  return [path, open];
}

export function linkTo(path: string): string {
  return `${PREFIX}${encodeURIComponent(path)}`;
}

function readRoute(): string | undefined {
  if (!location.hash.startsWith(PREFIX)) return undefined;
  try {
    return decodeURIComponent(location.hash.slice(PREFIX.length));
  } catch {
    return undefined;
  }
}

/** The width of an element, which follows its changes. */
export function useWidth(): [{ current: HTMLDivElement | null }, number] {
  const ref = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const element = ref.current;
    if (element === null) return undefined;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    setWidth(element.clientWidth);
    return () => observer.disconnect();
  }, []);
  return [ref, width];
}

/** Whether a media query matches. */
export function useMedia(query: string): boolean {
  const [matches, setMatches] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const media = matchMedia(query);
    const change = (): void => setMatches(media.matches);
    media.addEventListener('change', change);
    return () => media.removeEventListener('change', change);
  }, [query]);
  return matches;
}

export interface Loaded<T> {
  readonly value?: T | undefined;
  readonly error?: string | undefined;
  readonly isLoading: boolean;
}

/** Loads something whenever `key` changes; undefined loads nothing. The last value stays until the next arrives. */
export function useLoaded<T>(
  key: string | undefined,
  load: (signal: AbortSignal) => Promise<T>,
): Loaded<T> {
  const [loaded, setLoaded] = useState<Loaded<T>>({ isLoading: key !== undefined });
  useEffect(() => {
    if (key === undefined) {
      setLoaded({ isLoading: false });
      return undefined;
    }
    const stop = new AbortController();
    setLoaded((before) => ({ ...before, isLoading: true }));
    load(stop.signal).then(
      (value) => setLoaded({ value, isLoading: false }),
      (error: unknown) => {
        if (stop.signal.aborted) return;
        const message = error instanceof Error ? error.message : String(error);
        setLoaded({ error: message, isLoading: false });
      },
    );
    return () => stop.abort();
  }, [key]);
  return loaded;
}
