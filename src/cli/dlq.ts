import { type CommandGroup, defineGroup } from "./command.ts";

/** `dlq`: what to do with messages that could not be handled. */
export const dlq: CommandGroup = defineGroup({
  description:
    "A message whose handler keeps failing goes to CHANNEL.dead-letter, with what the handler said. " +
    "These commands look at such letters, publish their messages again and delete them. CHANNEL is " +
    "the channel that the messages came from.",
  commands: [
    {
      name: "list",
      summary: "Show which channels have dead letters",
      load: async () => (await import("./dlq_list.ts")).dlqList,
    },
    {
      name: "show",
      summary: "Show a channel's dead letters",
      load: async () => (await import("./dlq_show.ts")).dlqShow,
    },
    {
      name: "replay",
      summary: "Publish the messages of dead letters again",
      load: async () => (await import("./dlq_replay.ts")).dlqReplay,
    },
    {
      name: "purge",
      summary: "Delete a channel's dead letters",
      load: async () => (await import("./dlq_purge.ts")).dlqPurge,
    },
  ],
  examples: [
    { summary: "What failed, and why", args: "dlq show orders -c pi.yaml" },
    { summary: "Once the cause is mended", args: "dlq replay orders -c pi.yaml" },
  ],
});
