import { assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { writeTogether } from "../../src/cli/file_pair.ts";
import { tempDir } from "../helpers/temp.ts";

/** What a folder holds, by name. */
async function contentsOf(dir: string): Promise<Record<string, string>> {
  const contents: Record<string, string> = {};
  for await (const { name, isFile } of Deno.readDir(dir)) {
    contents[name] = isFile ? await Deno.readTextFile(join(dir, name)) : "/";
  }
  return contents;
}

const pairIn = (dir: string, a = "a", b = "b") => [
  { path: join(dir, a), text: "new a" },
  { path: join(dir, b), text: "new b" },
];

Deno.test("two new files are written for their owner alone", async () => {
  await using dir = await tempDir();
  await writeTogether(pairIn(dir.path), { overwrite: false });
  assertEquals(await contentsOf(dir.path), { a: "new a", b: "new b" });
  for (const name of ["a", "b"]) {
    const { mode } = await Deno.stat(join(dir.path, name));
    assertEquals(mode! & 0o777, 0o600);
  }
});

for (const existing of [["a"], ["b"], ["a", "b"]]) {
  Deno.test(`nothing is written when ${existing.join(" and ")} exists`, async () => {
    await using dir = await tempDir();
    for (const name of existing) await Deno.writeTextFile(join(dir.path, name), "old");
    const error = await assertRejects(
      () => writeTogether(pairIn(dir.path), { overwrite: false }),
      Error,
      existing.length === 1 ? "exists already" : "exist already",
    );
    for (const name of existing) assertEquals(error.message.includes(join(dir.path, name)), true);
    assertEquals(await contentsOf(dir.path), Object.fromEntries(existing.map((n) => [n, "old"])));
  });
}

Deno.test("overwriting leaves nothing of longer files, and closes them to others", async () => {
  await using dir = await tempDir();
  await Deno.writeTextFile(join(dir.path, "a"), "old and much longer", { mode: 0o644 });
  await writeTogether(pairIn(dir.path), { overwrite: true });
  assertEquals(await contentsOf(dir.path), { a: "new a", b: "new b" });
  assertEquals((await Deno.stat(join(dir.path, "a"))).mode! & 0o777, 0o600);
});

for (const overwrite of [false, true]) {
  Deno.test(`a second file that cannot be opened leaves no first one, overwrite ${overwrite}`, async () => {
    await using dir = await tempDir();
    await assertRejects(
      () => writeTogether(pairIn(dir.path, "a", "missing/b"), { overwrite }),
      Error,
      "missing/b: its folder does not exist",
    );
    assertEquals(await contentsOf(dir.path), {});
  });
}

/** Opens files of which the second fails to be written, after a part of it. */
function failingSecond(): typeof Deno.open {
  let count = 0;
  return async (path, options) => {
    const file = await Deno.open(path, options);
    let failed = ++count !== 2;
    const write = file.write.bind(file);
    file.write = (bytes) => {
      if (failed) return write(bytes);
      failed = true;
      return write(bytes.subarray(0, 2)).then(() => {
        throw new Error("No space left on device");
      });
    };
    return file;
  };
}

Deno.test("a failed write of the second file leaves neither of two new ones", async () => {
  await using dir = await tempDir();
  await assertRejects(
    () => writeTogether(pairIn(dir.path), { overwrite: true, openFile: failingSecond() }),
    Error,
    `Cannot write ${join(dir.path, "b")}: No space left on device`,
  );
  assertEquals(await contentsOf(dir.path), {});
});

Deno.test("a failed write of the second file leaves both old ones as they were", async () => {
  await using dir = await tempDir();
  await Deno.writeTextFile(join(dir.path, "a"), "old a");
  await Deno.writeTextFile(join(dir.path, "b"), "old b");
  await assertRejects(
    () => writeTogether(pairIn(dir.path), { overwrite: true, openFile: failingSecond() }),
    Error,
    "No space left on device",
  );
  assertEquals(await contentsOf(dir.path), { a: "old a", b: "old b" });
});

Deno.test("a file that is to be kept is kept, whatever its path", async () => {
  await using dir = await tempDir();
  const kept = join(dir.path, "ca.key");
  await Deno.writeTextFile(kept, "old");
  await Deno.link(kept, join(dir.path, "link"));
  for (const path of [kept, join(dir.path, "link"), `${dir.path}/./ca.key`]) {
    const pair = [{ path: join(dir.path, "a"), text: "new" }, { path, text: "new" }];
    await assertRejects(
      () => writeTogether(pair, { overwrite: true, keep: [kept, kept] }),
      Error,
      "it is the same file as",
    );
    assertEquals(await Deno.readTextFile(kept), "old");
    await assertRejects(() => Deno.stat(join(dir.path, "a")), Deno.errors.NotFound);
  }
});

Deno.test("one file is not written twice by two paths", async () => {
  await using dir = await tempDir();
  const pair = [
    { path: join(dir.path, "a"), text: "1" },
    { path: `${dir.path}/./a`, text: "2" },
  ];
  await assertRejects(() => writeTogether(pair, { overwrite: true }), Error, "the same file");
  assertEquals(await contentsOf(dir.path), {});
});

Deno.test("neither a folder nor a device nor a large file is written over", async () => {
  await using dir = await tempDir();
  await Deno.mkdir(join(dir.path, "a"));
  await Deno.writeTextFile(join(dir.path, "b"), "x".repeat(1024 * 1024 + 1));
  for (
    const [path, reason] of [
      [join(dir.path, "a"), "it is a folder"],
      [join(dir.path, "b"), "is no certificate or key"],
    ] as const
  ) {
    await assertRejects(
      () => writeTogether([{ path, text: "new" }], { overwrite: true }),
      Error,
      reason,
    );
  }
});
