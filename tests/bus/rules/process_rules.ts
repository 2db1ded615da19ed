import { assertEquals, assertGreater } from "@std/assert";
import { resolve } from "node:path";
import { denoArgs, Process } from "../../../bench/lib/child.ts";
import type { BusCommand } from "../programs/bus_process.ts";
import type { BusPlace, BusRule } from "../suite.ts";
import { numbers, publishAll, serveAs, take, text } from "./tools.ts";

const PROGRAM = resolve(import.meta.dirname!, "../programs/bus_process.ts");

/** Another process that takes part. */
class BusProcess extends Process {
  static async start(place: BusPlace): Promise<BusProcess> {
    const args = [await place.processUrl()];
    const started = new BusProcess(
      Deno.execPath(),
      denoArgs({ path: PROGRAM, args, permissions: ["-A"] }),
    );
    assertEquals(await started.answer(), "open");
    return started;
  }

  tell<T>(command: BusCommand): Promise<T> {
    return this.ask<T>(command);
  }
}

export const PROCESS_RULES: readonly BusRule[] = [
  {
    name: "messages go from process to process, in order",
    needs: "reachesProcesses",
    async run(place) {
      await using bus = await place.open();
      await using other = await BusProcess.start(place);
      const stream = await bus.stream("here");
      await other.tell({ do: "stream", subject: "there" });
      await publishAll(bus, "there", numbers(300));
      assertEquals(await other.tell({ do: "take", subject: "there", count: 300 }), numbers(300));
      await other.tell({ do: "publish", subject: "here", texts: numbers(300) });
      assertEquals(await take(stream, 300), numbers(300));
    },
  },
  {
    name: "requests of one process are answered by another",
    needs: "reachesProcesses",
    async run(place) {
      await using bus = await place.open();
      await using other = await BusProcess.start(place);
      await serveAs(bus, "here", "here");
      await other.tell({ do: "serve", subject: "there", name: "there" });
      const answers = await Promise.all(
        numbers(50).map(async (number) => text(await bus.request("there", number))),
      );
      assertEquals(answers, numbers(50, "there:"));
      const back = await other.tell({ do: "request", subject: "here", texts: numbers(50) });
      assertEquals(back, numbers(50, "here:"));
    },
  },
  {
    name: "servers in two processes share the requests",
    needs: "reachesProcesses",
    async run(place) {
      await using bus = await place.open();
      await using one = await BusProcess.start(place);
      await using two = await BusProcess.start(place);
      await one.tell({ do: "serve", subject: "r", name: "one" });
      await two.tell({ do: "serve", subject: "r", name: "two" });
      const served = async () => [
        await one.tell<number>({ do: "served" }),
        await two.tell<number>({ do: "served" }),
      ];
      let asked = 0;
      // Whoever is quicker takes more; asked often enough, nobody goes without.
      while (asked < 100 || (asked < 5_000 && (await served()).includes(0))) {
        await Promise.all(numbers(100).map((number) => bus.request("r", number)));
        asked += 100;
      }
      const counts = await served();
      assertEquals(counts[0]! + counts[1]!, asked);
      assertGreater(Math.min(...counts), 0);
    },
  },
];
