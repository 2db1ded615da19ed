import { assertEquals, assertRejects } from "@std/assert";
import { StorageError } from "../../src/base/mod.ts";
import { ensureDirectories } from "../../src/messenger/config/mod.ts";
import { tempDir } from "../helpers/temp.ts";

Deno.test("the three folders are made below a data folder that is not there yet, twice without harm", async () => {
  await using dir = await tempDir();
  const dataDir = `${dir.path}/deep/data`;
  await ensureDirectories({ storage: { dataDir } });
  await Deno.writeTextFile(`${dataDir}/channels/kept`, "kept");
  await ensureDirectories({ storage: { dataDir } });
  const names = [];
  for await (const { name, isDirectory } of Deno.readDir(dataDir)) {
    if (isDirectory) names.push(name);
  }
  assertEquals(names.sort(), ["audit", "channels", "subscribers"]);
  assertEquals(await Deno.readTextFile(`${dataDir}/channels/kept`), "kept");
});

Deno.test("a file in the way is named in the error", async () => {
  await using dir = await tempDir();
  await Deno.writeTextFile(`${dir.path}/channels`, "");
  await assertRejects(
    () => ensureDirectories({ storage: { dataDir: dir.path } }),
    StorageError,
    `Cannot make folder ${dir.path}/channels`,
  );
});
