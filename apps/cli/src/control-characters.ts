/** Line breaks, NUL and the like: never intended in a name, and some of them control terminals. */

const CONTROL = /\p{Cc}/u;

export function hasControlCharacter(text: string): boolean {
  return CONTROL.test(text);
}
