import { join } from "node:path";

/** The programs of the example, as their files and certificates name them. */
export type Role = "house" | "room" | "panel";

/** All of them. */
export const ROLES: readonly Role[] = ["house", "room", "panel"];

/**
 * The configuration of a program: where its files are, and which channels it exchanges.
 *
 * @param role The program.
 * @param folder Where its certificate lies and its data goes.
 * @param hubAddr Where the hub listens.
 */
export function configOf(role: Role, folder: string, hubAddr: string): string {
  const path = (name: string) => JSON.stringify(join(folder, name));
  return `
storage:
  data_dir: ${path(`${role}-data`)}
tls:
  cert: ${path(`${role}.crt`)}
  key: ${path(`${role}.key`)}
  ca: ${path("ca.crt")}
federation: # Shorter waits than usual, since the example is short.
  reconnect_base_ms: 50
  reconnect_max_ms: 500
${LINKS[role](hubAddr)}`;
}

/** Who is linked to whom, and for which channels: those of three subjects. */
const LINKS: Record<Role, (hubAddr: string) => string> = {
  house: (hubAddr) => `
hub:
  enabled: true
  listen_addr: ${hubAddr}
  allowed_peers:
    - name: room
      publish: [temperature, heating.requests, heating.replies.house]
      subscribe: [heating.requests]
    - name: panel
      publish: [target.requests]
      subscribe: [target.replies.panel]
`,
  // It publishes to heating.requests as well: there the servers of a subject tell each other who serves.
  room: (hubAddr) => `
client:
  enabled: true
  hubs:
    - addr: ${hubAddr}
      publish: [temperature, heating.requests, heating.replies.house]
      subscribe: [heating.requests]
`,
  panel: (hubAddr) => `
client:
  enabled: true
  hubs:
    - addr: ${hubAddr}
      publish: [target.requests]
      subscribe: [target.replies.panel]
`,
};
