import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { DataDirLockedError, StorageError } from "../../src/base/mod.ts";
import {
  dataDirOwner,
  denoFiles,
  FileChannelLogs,
  type FileSystem,
} from "../../src/storage/mod.ts";
import { FaultyFiles } from "../helpers/faulty_files.ts";
import { tempDir } from "../helpers/temp.ts";

Deno.test("a data directory is opened once: the second gets the owner's pid", async () => {
  await using dir = await tempDir();
  const logs = new FileChannelLogs(dir.path);
  const error = assertThrows(() => new FileChannelLogs(dir.path), DataDirLockedError);
  assertEquals([error.dataDir, error.pid], [dir.path, Deno.pid]);
  assertStringIncludes(error.message, String(Deno.pid));
  assertStringIncludes(error.message, dir.path);
  await logs.close();
  await new FileChannelLogs(dir.path).close();
});

Deno.test("the owner's pid is in .lock, whatever was there before", async () => {
  await using dir = await tempDir();
  await Deno.writeTextFile(`${dir.path}/.lock`, "123456789012345\nleft over");
  const logs = new FileChannelLogs(dir.path);
  assertEquals(await Deno.readTextFile(`${dir.path}/.lock`), `${Deno.pid}\n`);
  assertEquals(dataDirOwner(denoFiles, dir.path), Deno.pid);
  await logs.close();
  assertEquals(dataDirOwner(denoFiles, dir.path), undefined);
});

Deno.test("who looks for an owner just then is not taken for one", async () => {
  await using dir = await tempDir();
  await new FileChannelLogs(dir.path).close();
  const looking = Deno.openSync(`${dir.path}/.lock`, { read: true });
  assert(looking.tryLockSync(false));
  let tries = 0;
  const files: FileSystem = {
    ...denoFiles,
    open(path, options) {
      const file = Deno.openSync(path, options);
      const unlock = file.unlockSync.bind(file);
      return Object.assign(file, {
        unlockSync(): void {
          unlock();
          // The look is over by the third try.
          if (++tries === 2) looking.close();
        },
      });
    },
  };
  await new FileChannelLogs(dir.path, { files }).close();
  assertEquals(tries, 2);
});

Deno.test("a directory without lock file has no owner", async () => {
  await using dir = await tempDir();
  assertEquals(dataDirOwner(denoFiles, dir.path), undefined);
});

Deno.test("a lock without pid is an error that says that the owner is unknown", async () => {
  await using dir = await tempDir();
  const logs = new FileChannelLogs(dir.path);
  await Deno.truncate(`${dir.path}/.lock`);
  const error = assertThrows(() => new FileChannelLogs(dir.path), DataDirLockedError, "unknown");
  assertEquals(error.pid, undefined);
  await logs.close();
});

Deno.test("a data directory that is a file is a StorageError that names it", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/file`;
  await Deno.writeTextFile(path, "");
  assertThrows(() => new FileChannelLogs(path), StorageError, path);
});

Deno.test("a data directory with a file for a folder is a StorageError, and stays unlocked", async () => {
  for (const folder of ["channels", "subscribers"]) {
    await using dir = await tempDir();
    await Deno.writeTextFile(`${dir.path}/${folder}`, "");
    assertThrows(() => new FileChannelLogs(dir.path), StorageError, dir.path);
    await Deno.remove(`${dir.path}/${folder}`);
    await new FileChannelLogs(dir.path).close();
  }
});

Deno.test("whatever fails while opening is a StorageError, and the directory stays unlocked", async () => {
  await using dir = await tempDir();
  for (const call of ["open", "makeDir", "lock", "syncDir", "list"] as const) {
    const files = new FaultyFiles();
    files.fail(call);
    assertThrows(() => new FileChannelLogs(dir.path, { files }), StorageError, dir.path);
    await new FileChannelLogs(dir.path, { files }).close();
  }
});

Deno.test("a data directory opens on a full disk when it was open before", async () => {
  await using dir = await tempDir();
  await new FileChannelLogs(dir.path).close();
  await Deno.writeTextFile(`${dir.path}/.lock`, "1\n");
  const files = new FaultyFiles();
  files.roomBytes = 0;
  const logs = new FileChannelLogs(dir.path, { files });
  await logs.close();
});

Deno.test("a data directory opens although the pid cannot be noted", async () => {
  await using dir = await tempDir();
  for (const call of ["write", "truncate"] as const) {
    await Deno.writeTextFile(`${dir.path}/.lock`, "1\n");
    const files = new FaultyFiles();
    files.fail(call);
    const logs = new FileChannelLogs(dir.path, { files });
    const error = assertThrows(() => new FileChannelLogs(dir.path), DataDirLockedError);
    assert(error.pid === undefined || error.pid === Deno.pid, "an earlier owner is named");
    await logs.close();
  }
});

Deno.test("a new data directory and its parents are made, and made durable", async () => {
  await using dir = await tempDir();
  const files = new FaultyFiles();
  const path = `${dir.path}/a/b/data`;
  const logs = new FileChannelLogs(path, { files });
  const synced = files.calls.filter(({ call }) => call === "syncDir").map((seen) => seen.path);
  for (const folder of [`${dir.path}/a/b`, `${dir.path}/a`, dir.path, path]) {
    assert(synced.includes(folder), `${folder} was not synced`);
  }
  await logs.close();
});

Deno.test("a data directory may end in a slash", async () => {
  await using dir = await tempDir();
  const logs = new FileChannelLogs(`${dir.path}/`);
  await logs.open("readings");
  await assertRejects(() => logs.open("a/b"));
  assertThrows(() => new FileChannelLogs(dir.path), DataDirLockedError);
  await logs.close();
});
