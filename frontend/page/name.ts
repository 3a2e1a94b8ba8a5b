// name.ts: the person's name. The tab keeps it, so a reload does not ask again. The browser keeps it too, but only as a
// suggestion, so that two tabs can be two people.

import { LONGEST_NAME } from "../../backend/demo/events.js";
import { lengthOf } from "./dom.js";

const KEY = "name";

/** The name that was given in this tab. */
export function nameOfThisTab(): string {
  return read(() => sessionStorage);
}

/** Suggests the last name in this field, and lets no form go that has none, or a longer one than the server takes. */
export function prepareNameField(field: HTMLInputElement): void {
  const check = () => {
    const characters = lengthOf(field.value.trim());
    if (characters === 0) field.setCustomValidity("Please give a name.");
    else if (characters <= LONGEST_NAME) field.setCustomValidity("");
    else field.setCustomValidity(`A name has at most ${LONGEST_NAME} characters. This one has ${characters}.`);
  };
  field.value = read(() => localStorage);
  field.addEventListener("input", check);
  check();
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
