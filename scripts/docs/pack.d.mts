export function packDocs(folder: string): string[];
