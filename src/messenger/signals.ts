/** Throws the signal's reason when it is aborted. */
export function aborted(signal: AbortSignal | undefined): void {
  signal?.throwIfAborted();
}

/** The promise, unless the signal is aborted first: then its reason, and nobody misses the promise. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
