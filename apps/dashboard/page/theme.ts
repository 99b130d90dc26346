/** Light or dark: as the system says, unless somebody has chosen. */

export type Theme = 'system' | 'light' | 'dark';

const KEY = 'sluice-theme';

export function readTheme(): Theme {
  try {
    const kept = localStorage.getItem(KEY);
    return kept === 'light' || kept === 'dark' ? kept : 'system';
  } catch {
    return 'system'; // storage is blocked
  }
}

export function applyTheme(theme: Theme = readTheme()): void {
  document.documentElement.dataset['theme'] = theme;
}

export function chooseTheme(theme: Theme): void {
  applyTheme(theme);
  try {
    if (theme === 'system') localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
  } catch {
    // It counts for this visit only.
  }
  dispatchEvent(new Event('themechange'));
}
