// SPDX-License-Identifier: MIT
// view.tsx -- the head of a view: where one is, its title (which gets the focus when one comes here), what can be done.
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Icon } from "./icon";

export interface Crumb {
  label: string;
  href: string;
}

interface Props {
  title: string;
  crumbs?: readonly Crumb[];
  /** Beside the title. */
  state?: ComponentChildren;
  lead?: ComponentChildren;
  actions?: ComponentChildren;
  /** Another value is another view: the title gets the focus. */
  at: string;
}

let first = true; // the page's own load: the browser's focus is right

export function ViewHead({ title, crumbs = [], state, lead, actions, at }: Props) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (!first) {
      heading.current?.focus({ preventScroll: true });
      scrollTo(0, 0);
    }
    first = false;
  }, [at]);
  useEffect(() => {
    document.title = `${title} · tain`;
  }, [title]);
  return (
    <header class="view-head">
      {crumbs.length > 0 && (
        <nav aria-label="Breadcrumb" class="crumbs">
          <ol>
            {crumbs.map((c) => (
              <li key={c.href}>
                <a href={c.href}>{c.label}</a>
                <Icon name="right" size={12} />
              </li>
            ))}
          </ol>
        </nav>
      )}
      <div class="view-title">
        <div class="view-name">
          <h1 ref={heading} tabIndex={-1}>
            {title}
          </h1>
          {state}
        </div>
        {actions && <div class="actions">{actions}</div>}
      </div>
      {lead && <div class="lead">{lead}</div>}
    </header>
  );
}

export function Loading({ what }: { what: string }) {
  return (
    <p class="loading" role="status">
      <Icon name="busy" spin /> Loading {what}…
    </p>
  );
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <h2>{title}</h2>
      {children}
    </div>
  );
}
