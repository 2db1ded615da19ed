/** The process was asked to stop. */
export class InterruptedError extends Error {
  override readonly name = "InterruptedError";
  /** What a shell expects of a program that a signal ended: 128 and the signal's number. */
  readonly exitCode: number;
  /** @param signal The signal that asked. */
  constructor(signal: Deno.Signal) {
    super(`Stopped by ${signal}`);
    this.exitCode = signal === "SIGTERM" ? 143 : 130;
  }
}

/** An abort signal that the process's signals fire. Disposal gives the process's signals back. */
export interface InterruptSignal extends Disposable {
  /** Aborted by the first signal, with an {@linkcode InterruptedError}. */
  readonly signal: AbortSignal;
}

/** Lets Ctrl-C and SIGTERM abort; a second one ends the process at once with exit code 130. */
export function watchInterrupts(): InterruptSignal {
  const controller = new AbortController();
  const signals: Deno.Signal[] = Deno.build.os === "windows"
    ? ["SIGINT", "SIGBREAK"]
    : ["SIGINT", "SIGTERM"];
  const listeners = signals.map((signal) => {
    const listener = () => {
      if (controller.signal.aborted) Deno.exit(130);
      controller.abort(new InterruptedError(signal));
    };
    Deno.addSignalListener(signal, listener);
    return () => Deno.removeSignalListener(signal, listener);
  });
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      for (const remove of listeners) remove();
    },
  };
}
