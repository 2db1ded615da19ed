/** A server that is started for the first who asks and ended when the last is done. */
export class SharedServer<T extends AsyncDisposable> {
  readonly #start: () => Promise<T>;
  #server: Promise<T> | undefined;
  #users = 0;

  constructor(start: () => Promise<T>) {
    this.#start = start;
  }

  /** Takes part. */
  async take(): Promise<{ server: T; release: () => Promise<void> }> {
    this.#users++;
    const starting = this.#server ??= this.#start();
    return {
      server: await starting,
      release: async () => {
        if (--this.#users > 0) return;
        this.#server = undefined;
        await (await starting)[Symbol.asyncDispose]();
      },
    };
  }
}
