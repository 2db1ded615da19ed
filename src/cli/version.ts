import manifest from "../../deno.json" with { type: "json" };
import { type Command, defineCommand } from "./command.ts";
import { jsonOption, printJson } from "./json.ts";
import { formatFields } from "./table.ts";

/** `version`: what runs here. */
export const version: Command = defineCommand({
  options: { ...jsonOption },
  async run(context) {
    const facts = {
      version: manifest.version,
      deno: Deno.version.deno,
      system: `${Deno.build.os} ${Deno.build.arch}`,
    };
    if (context.options.json) return await printJson(context, facts);
    await context.stdout.write(formatFields(Object.entries(facts)));
  },
});
