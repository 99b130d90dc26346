/** Line breaks, NUL and the like: nobody means them in a name, and terminals take some of them for orders. */

const CONTROL = /\p{Cc}/u;

export function hasControlCharacter(text: string): boolean {
  return CONTROL.test(text);
}
