/** Takes part in a bus as another process does: `bus_process.ts URL`, commands in lines of JSON. */
import { openBus } from "@keyop/messenger/bus";
import { answer, requests } from "../../../bench/lib/child.ts";
import { serveAs, take, text } from "../rules/tools.ts";

/** What the process is told to do. */
export type BusCommand =
  | { readonly do: "serve"; readonly subject: string; readonly name: string }
  | { readonly do: "stream"; readonly subject: string }
  | { readonly do: "take"; readonly subject: string; readonly count: number }
  | { readonly do: "publish"; readonly subject: string; readonly texts: readonly string[] }
  | { readonly do: "request"; readonly subject: string; readonly texts: readonly string[] }
  | { readonly do: "served" };

if (import.meta.main) {
  await using bus = await openBus(Deno.args[0]!);
  const streams = new Map<string, AsyncIterable<Uint8Array>>();
  answer("open");
  for await (const command of requests<BusCommand>()) {
    switch (command.do) {
      case "serve":
        await serveAs(bus, command.subject, command.name);
        answer("serving");
        break;
      case "stream":
        streams.set(command.subject, await bus.stream(command.subject));
        answer("streaming");
        break;
      case "take":
        answer(await take(streams.get(command.subject)!, command.count));
        break;
      case "publish":
        await Promise.all(command.texts.map((text) => bus.publish(command.subject, text)));
        answer("published");
        break;
      case "request":
        answer(
          await Promise.all(
            command.texts.map(async (data) => text(await bus.request(command.subject, data))),
          ),
        );
        break;
      case "served":
        answer(bus.stats().served);
        break;
    }
  }
}
