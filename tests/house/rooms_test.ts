import { assertEquals } from "@std/assert";
import { normalize } from "node:path/posix";

/** The rooms of `src`, each below what it may import from. */
const ROOMS = [
  "base",
  "config",
  "envelope",
  "registry",
  "dedup",
  "sockets",
  "pipes",
  "storage",
  "audit",
  "tls",
  "federation",
  "messenger",
  "bus",
  "gateway",
  "client",
  "cli",
];

/** Doors beside a room's `mod.ts`: for those who must not load all that lies behind it. */
const SIDE_DOORS = [
  // A messenger with pipes loads no WebSockets.
  "src/pipes/core.ts",
  // A client that speaks protobuf loads no server.
  "src/gateway/proto/mod.ts",
];

interface Import {
  readonly from: string;
  readonly to: string;
}

const IMPORT = /(?:\bfrom\s*|\bimport\s*\(?\s*)"(\.[^"]+)"/g;

function sources(folder: string): string[] {
  return Array.from(Deno.readDirSync(folder)).flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    if (isDirectory) return sources(path);
    return name.endsWith(".ts") ? [path] : [];
  });
}

function importsOf(path: string): Import[] {
  const folder = path.slice(0, path.lastIndexOf("/"));
  return Array.from(
    Deno.readTextFileSync(path).matchAll(IMPORT),
    ([, specifier]) => ({ from: path, to: normalize(`${folder}/${specifier}`) }),
  );
}

const roomOf = (path: string): string | undefined => /^src\/([^/]+)\//.exec(path)?.[1];

/** Imports that leave their room for another one. */
const crossings = sources("src").flatMap(importsOf)
  .filter(({ from, to }) => roomOf(to) !== undefined && roomOf(to) !== roomOf(from));

const tell = ({ from, to }: Import): string => `${from} imports ${to}`;

Deno.test("every folder of src is a room with a mod.ts", () => {
  const folders = Array.from(Deno.readDirSync("src"), ({ name }) => name).sort();
  assertEquals(folders, ROOMS.toSorted());
  for (const room of ROOMS) {
    // The command line has no other door than its program.
    if (room !== "cli") assertEquals(Deno.statSync(`src/${room}/mod.ts`).isFile, true, room);
  }
});

Deno.test("a room imports only from rooms above it", () => {
  const wrong = crossings.filter(({ from, to }) =>
    ROOMS.indexOf(roomOf(to)!) >= ROOMS.indexOf(roomOf(from)!)
  );
  assertEquals(wrong.map(tell), []);
});

Deno.test("nobody imports a file of another room past its doors", () => {
  const wrong = crossings.filter(({ to }) =>
    to !== `src/${roomOf(to)}/mod.ts` && !SIDE_DOORS.includes(to)
  );
  assertEquals(wrong.map(tell), []);
});

Deno.test("only the messenger, and what stands on it, knows both storage and federation", () => {
  const below = ROOMS.slice(0, ROOMS.indexOf("messenger"));
  const users = (room: string) =>
    below.filter((other) =>
      crossings.some(({ from, to }) => roomOf(from) === other && roomOf(to) === room)
    );
  assertEquals(users("federation"), []);
});
