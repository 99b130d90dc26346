/** A part of the page with a heading. */

import type { ComponentChildren, JSX } from 'preact';

export function Panel({
  title,
  children,
  aside,
}: {
  title: string;
  children: ComponentChildren;
  aside?: ComponentChildren;
}): JSX.Element {
  return (
    <section class="panel" aria-label={title}>
      <div class="heading">
        <h2>{title}</h2>
        <span class="grow" />
        {aside}
      </div>
      {children}
    </section>
  );
}
