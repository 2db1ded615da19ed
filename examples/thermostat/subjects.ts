import { subject } from "@keyop/messenger/bus";
import { z } from "zod";

const celsius = z.number().min(-50).max(100);

/** What the room measures. Federated channel: `temperature`. */
export const temperature = subject("temperature", { request: z.object({ celsius }) });

/** Switches the heating of the room. Channels: `heating.requests`, `heating.replies.house`. */
export const heating = subject("heating", {
  request: z.object({ on: z.boolean() }),
  response: z.object({ on: z.boolean() }),
});

/** Sets what the thermostat aims at. Channels: `target.requests`, `target.replies.panel`. */
export const target = subject("target", {
  request: z.object({ celsius }),
  response: z.object({ celsius, before: celsius }),
});
