export function checkSite(site: string): string[];
