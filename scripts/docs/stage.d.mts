export function stage(folder: string): void;
