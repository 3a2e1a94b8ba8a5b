// name.ts: the person's name. The tab keeps it, so a reload does not ask again. The browser keeps it too, but only as a
// suggestion, so that two tabs can be two people.

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
      // the browser does not allow storage, or it is full: the next page will ask again
    }
  }
}

function read(storage: () => Storage): string {
  try {
    return storage().getItem(KEY) ?? "";
  } catch {
    return ""; // where storage is not allowed, reading the variable is an error
  }
}
