// time.ts: every wait has a limit.

/** Rejects when a promise takes longer than this many milliseconds. */
export function within<T>(milliseconds: number, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = new Error(`no answer within ${milliseconds / 1000} s`);
    const timer = setTimeout(() => setImmediate(reject, late), milliseconds); // after a busy time, what has arrived is read first
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** Waits for a promise, this many milliseconds at most. It does not matter whether it fails. */
export async function upTo(milliseconds: number, promise: Promise<unknown>): Promise<void> {
  await within(milliseconds, promise).catch(() => {});
}
