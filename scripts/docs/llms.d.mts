export function addMarkdown(source: string, site: string): void;
