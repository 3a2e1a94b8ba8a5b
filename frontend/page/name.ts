// name.ts: the person's name. This tab keeps it, so that a reload does not ask again; the browser remembers it as a
// suggestion only, so that two tabs can be two people.

const KEY = "name";

/** The name that was given in this tab. */
export function nameOfThisTab(): string {
  return read(() => sessionStorage);
}

/** The name that was last given in this browser. */
export function lastName(): string {
  return read(() => localStorage);
}

export function rememberName(name: string): void {
  for (const storage of [() => sessionStorage, () => localStorage]) {
    try {
      storage().setItem(KEY, name);
    } catch {
      // a browser may forbid storage, or have no room left: then the next page asks again
    }
  }
}

function read(storage: () => Storage): string {
  try {
    return storage().getItem(KEY) ?? "";
  } catch {
    return ""; // the mere mention of a forbidden storage throws
  }
}
