import { denoArgs, Process, type Program } from "../lib/child.ts";
import type { SenderRequest } from "./roles.ts";
import type { Reception } from "./stopwatch.ts";

/** Bytes in a frame: the messenger's default. */
export const FRAME_BYTES = 65_536;
/** Frames that may be unacknowledged: the messenger's default. */
const WINDOW = 64;

const NET = [
  "--allow-net=127.0.0.1",
  "--allow-env=WS_NO_BUFFER_UTIL,WS_NO_UTF_8_VALIDATE",
];

/** Two connected processes, one of which sends to the other. */
export class Pair implements AsyncDisposable {
  constructor(readonly sender: Process, readonly receiver: Process) {}

  /** Sends. @returns What the receiver measured. */
  async measure(request: SenderRequest): Promise<Reception> {
    await this.receiver.ask({ do: "expect", count: request.count });
    const [reception] = await Promise.all([
      this.receiver.ask<Reception>({ do: "result" }),
      this.sender.ask(request),
    ]);
    return reception;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.receiver[Symbol.asyncDispose]();
    await this.sender[Symbol.asyncDispose]();
  }
}

/**
 * A hub and a client that is connected to it.
 *
 * @param dir Holds the certificates; their data directories are made in it.
 */
export function hubAndClient(dir: string): Promise<Pair> {
  const side = (name: string, ...args: string[]): Program => ({
    path: `bench/federation/${name}.ts`,
    args: [`${dir}/${name}`, dir, ...args],
    permissions: [`--allow-read=${dir}`, `--allow-write=${dir}/${name}`, ...NET],
  });
  return connect(side("hub"), (addr) => side("client", addr));
}

/**
 * A bare WebSocket's two ends.
 *
 * @param dir Holds the certificates.
 */
export function bareWebSocket(dir: string): Promise<Pair> {
  const side = (name: string, ...args: string[]): Program => ({
    path: `bench/federation/${name}.ts`,
    args: [dir, ...args],
    permissions: [`--allow-read=${dir}`, ...NET],
  });
  return connect(
    side("bare_sender", String(FRAME_BYTES), String(WINDOW)),
    (addr) => side("bare_receiver", addr),
  );
}

async function connect(sending: Program, receiving: (addr: string) => Program): Promise<Pair> {
  const sender = new Process("deno", denoArgs(sending));
  const { addr } = await sender.answer<{ addr: string }>();
  const receiver = new Process("deno", denoArgs(receiving(addr)));
  await receiver.ask({ do: "open" });
  return new Pair(sender, receiver);
}
