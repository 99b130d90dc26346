export interface Heading {
  readonly level: number;
  readonly text: string;
  readonly anchor: string;
}

export interface Block {
  /** Line of the first line of code. */
  readonly line: number;
  readonly text: string;
}

export interface Target {
  readonly file: string;
  readonly anchor: string | undefined;
}

export function slugOf(heading: string): string;
export function headingsOf(text: string): Heading[];
export function sectionOf(text: string, anchor: string): string | undefined;
export function linksOf(text: string): string[];
export function replaceLinks(text: string, replace: (target: string) => string): string;
export function blocksOf(text: string, language: string): Block[];
export function withoutComments(text: string): string;
export function resolveTarget(file: string, target: string): Target | undefined;
