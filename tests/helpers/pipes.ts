import {
  Pipe,
  type PipeConnection,
  type PipeMessage,
  type PipeSendOptions,
} from "@keyop/messenger/pipes";

/** What a test's pipe does with a message; `pass` is what `super` would do. */
export type Step = (
  message: PipeMessage,
  pass: (message?: PipeMessage) => Promise<void>,
) => Promise<void> | void;

/** A pipe made of two functions; what is left out passes everything on. */
export class StepPipe extends Pipe {
  constructor(readonly steps: { readonly send?: Step; readonly handle?: Step }) {
    super();
  }

  override send(
    message: PipeMessage,
    connections: readonly PipeConnection[],
    options?: PipeSendOptions,
  ): Promise<void> {
    const pass = (other = message) => super.send(other, connections, options);
    const { send } = this.steps;
    return send === undefined ? pass() : Promise.resolve(send(message, pass));
  }

  override handle(connection: PipeConnection, message: PipeMessage): Promise<void> {
    const pass = (other = message) => super.handle(connection, other);
    const { handle } = this.steps;
    return handle === undefined ? pass() : Promise.resolve(handle(message, pass));
  }
}

/** A pipe that notes what passes, under a name, and appends the name to the value. */
export function noting(name: string, steps: string[]): Pipe {
  return new StepPipe({
    send: (message, pass) => {
      steps.push(`${name} send ${message.value}`);
      return pass(message.with(message.value + name));
    },
    handle: (message, pass) => {
      steps.push(`${name} handle ${message.value}`);
      return pass(message.with(message.value + name));
    },
  });
}
