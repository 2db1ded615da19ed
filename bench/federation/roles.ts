import { answer, requests } from "../lib/child.ts";
import { Stopwatch } from "./stopwatch.ts";

/** What a sender can be told. A frame is what it sends at a time: a message, or bare bytes. */
export type SenderRequest =
  | { readonly do: "send"; readonly count: number }
  | { readonly do: "pace"; readonly count: number; readonly everyMs: number };

/** What a receiver can be told. */
export type ReceiverRequest =
  | { readonly do: "open" | "close" | "result" }
  | { readonly do: "expect"; readonly count: number };

/** What a sender does. */
export interface Sender {
  /** Sends so many, as fast as it can. @returns Bytes that the other side can have by now. */
  send(count: number): Promise<number>;
  /** Sends one message that says when it was sent. */
  stamp(): Promise<unknown>;
}

/** Sends what it is told to, until nobody tells it anything any more. */
export async function serveSender(addr: string, sender: Sender): Promise<void> {
  answer({ addr });
  for await (const request of requests<SenderRequest>()) {
    if (request.do === "send") answer({ bytes: await sender.send(request.count) });
    else {
      for (let i = 0; i < request.count; i++) {
        await sender.stamp();
        await new Promise((resolve) => setTimeout(resolve, request.everyMs));
      }
      answer({});
    }
  }
}

/** Receives, and says how long it took, until nobody tells it anything any more. */
export async function serveReceiver(
  open: (stopwatch: Stopwatch) => Promise<() => Promise<void>>,
): Promise<void> {
  const stopwatch = new Stopwatch();
  let close = (): Promise<void> => Promise.resolve();
  for await (const request of requests<ReceiverRequest>()) {
    if (request.do === "result") {
      answer(await stopwatch.done);
      continue;
    }
    if (request.do === "expect") stopwatch.expect(request.count);
    else if (request.do === "open") close = await open(stopwatch);
    else await close();
    answer({});
  }
  await close();
}
