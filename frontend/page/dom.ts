// dom.ts: helpers for all pages. What people typed enters the page as text, never as HTML.

/** The element with this id. It must be in the page's HTML. */
export function find<T extends HTMLElement>(id: string, type: new () => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`no ${type.name} #${id} in this page`);
  return element;
}

/** A new element. Strings among its children become text. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className: string,
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  element.className = className;
  element.append(...children);
  return element;
}

/** A new link. */
export function link(href: string, text: string): HTMLAnchorElement {
  const element = make("a", "", text);
  element.href = href;
  return element;
}

/** `1 peer`, `2 peers`. */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
}

/** In characters as people count them, not in UTF-16 units. */
export function lengthOf(text: string): number {
  return [...text].length;
}
