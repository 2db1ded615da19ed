/** A command's result; `ok` is false also where the command does not exist. */
export interface CommandResult {
  readonly ok: boolean;
  readonly text: string;
}

/** Runs a program of the system. */
export async function command(name: string, ...args: string[]): Promise<CommandResult> {
  try {
    const { success, stdout, stderr } = await new Deno.Command(name, { args }).output();
    const decoder = new TextDecoder();
    return { ok: success, text: (decoder.decode(stdout) + decoder.decode(stderr)).trim() };
  } catch (error) {
    return { ok: false, text: `${name}: ${(error as Error).message}` };
  }
}

/** Runs a program of the system that must succeed. @returns What it printed. */
export async function must(name: string, ...args: string[]): Promise<string> {
  const { ok, text } = await command(name, ...args);
  if (!ok) throw new Error(`${name} ${args.join(" ")} failed: ${text}`);
  return text;
}

/** Whether a test runs as root; says so when it does not, and is skipped. */
export function isRoot(test: string): boolean {
  if (Deno.build.os === "linux" && Deno.uid() === 0) return true;
  console.log(`${test}: skipped, since it needs root on Linux`);
  return false;
}

/** A file system mounted for a test. */
export interface Mounted extends AsyncDisposable {
  readonly path: string;
}

/** Mounts a file system in memory; undefined, and said so, where that is refused. */
export async function mountTmpfs(path: string, options: string): Promise<Mounted | undefined> {
  await Deno.mkdir(path, { recursive: true });
  const { ok, text } = await command("mount", "-t", "tmpfs", "-o", options, "tmpfs", path);
  if (!ok) {
    console.log(`skipped, since mounting is refused: ${text}`);
    return undefined;
  }
  return { path, [Symbol.asyncDispose]: async () => void await must("umount", path) };
}

/** An ext4 file system in a file, whose power can be cut. */
export class Ext4Disk implements AsyncDisposable {
  /** Where it is mounted. */
  readonly path: string;
  readonly #device: string;
  #mounted = false;

  private constructor(path: string, device: string) {
    this.path = path;
    this.#device = device;
  }

  /** Makes one below a folder; undefined, and said so, where the system refuses. */
  static async make(folder: string, megabytes: number): Promise<Ext4Disk | undefined> {
    const image = `${folder}/image`;
    const path = `${folder}/disk`;
    await Deno.mkdir(path);
    await Deno.writeFile(image, new Uint8Array(0));
    await Deno.truncate(image, megabytes * 1024 * 1024);
    const made = await command("mkfs.ext4", "-q", "-F", image);
    const attached = made.ok ? await command("losetup", "--find", "--show", image) : made;
    if (!attached.ok) {
      console.log(`skipped, since there is no loop device with ext4: ${attached.text}`);
      return undefined;
    }
    const disk = new Ext4Disk(path, attached.text);
    const mounted = await command("mount", disk.#device, path);
    if (!mounted.ok) {
      console.log(`skipped, since mounting is refused: ${mounted.text}`);
      await disk[Symbol.asyncDispose]();
      return undefined;
    }
    disk.#mounted = true;
    return disk;
  }

  /**
   * Stops the file system as a power cut does: what its journal has not written yet is gone. A sync
   * that is under way at that moment may tell its program that it succeeded although it did not;
   * with the power gone nobody would be there to hear it.
   *
   * @returns When it happened, in milliseconds since 1970: not later.
   */
  async cutPower(): Promise<number> {
    const EXT4_IOC_SHUTDOWN = 0x8004587d;
    const WITHOUT_FLUSHING = 2;
    const time = await must(
      "perl",
      "-MTime::HiRes=time",
      "-e",
      `open(my $dir, "<", $ARGV[0]) or die "open: $!"; my $how = pack("L", ${WITHOUT_FLUSHING}); ` +
        `my $time = time; ioctl($dir, ${EXT4_IOC_SHUTDOWN}, $how) or die "ioctl: $!"; ` +
        `printf "%d", $time * 1000`,
      this.path,
    );
    return Number(time);
  }

  /** Mounts it again, as after a start: the journal is replayed. Nobody may have a file open. */
  async restart(): Promise<void> {
    await this.#unmount();
    await must("mount", this.#device, this.path);
    this.#mounted = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#unmount();
    } finally {
      await must("losetup", "--detach", this.#device);
    }
  }

  async #unmount(): Promise<void> {
    if (this.#mounted) await must("umount", this.path);
    this.#mounted = false;
  }
}
