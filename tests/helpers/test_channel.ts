import type { Logger } from "../../src/base/mod.ts";
import {
  type ChannelLog,
  FileChannelLogs,
  type FileChannelLogsOptions,
  type Position,
} from "../../src/storage/mod.ts";
import { FakeClock } from "./fake_clock.ts";
import { FaultyFiles } from "./faulty_files.ts";
import { RecordingLogger } from "./recording_logger.ts";
import { tempDir } from "./temp.ts";

/** A file below the data directory. */
export interface TestFile {
  readonly name: string;
  readonly text: string;
}

/** A data directory with one open channel, on a disk and a clock that the test commands. */
export class TestChannel implements AsyncDisposable {
  readonly files = new FaultyFiles();
  readonly clock = new FakeClock();
  readonly logger = new RecordingLogger();
  readonly dataDir: string;
  readonly #dir: AsyncDisposable;
  #options: FileChannelLogsOptions;
  #logs: FileChannelLogs | undefined;
  #log: ChannelLog | undefined;

  private constructor(dir: { path: string } & AsyncDisposable, options: FileChannelLogsOptions) {
    this.#dir = dir;
    this.dataDir = dir.path;
    this.#options = options;
  }

  /** A channel in a new data directory, open. */
  static async open(options: FileChannelLogsOptions = {}): Promise<TestChannel> {
    const channel = await TestChannel.closed(options);
    await channel.open();
    return channel;
  }

  /** A new data directory with nothing in it: write files, then `open`. */
  static async closed(options: FileChannelLogsOptions = {}): Promise<TestChannel> {
    return new TestChannel(await tempDir(), options);
  }

  get logs(): FileChannelLogs {
    return this.#logs!;
  }
  get log(): ChannelLog {
    return this.#log!;
  }

  /** Opens the channel, by default with the options of last time. */
  async open(options: FileChannelLogsOptions = this.#options): Promise<void> {
    this.#options = options;
    const { files, clock } = this;
    const logger: Logger = this.logger;
    this.#logs = new FileChannelLogs(this.dataDir, { files, clock, logger, ...options });
    this.#log = await this.#logs.open("readings");
  }

  /** Closes the channel and opens it again. */
  async reopen(options?: FileChannelLogsOptions): Promise<void> {
    await this.logs.close();
    await this.open(options);
  }

  /** Where the channel's segments are. */
  get folder(): string {
    return `${this.dataDir}/channels/readings`;
  }

  /** Where the channel's cursors are. */
  get cursorFolder(): string {
    return `${this.dataDir}/subscribers/readings`;
  }

  /** The files in the channel's folder, by name. */
  segments(): readonly TestFile[] {
    return readFolder(this.folder);
  }

  /** The cursor files of the channel, by name. */
  cursorFiles(): readonly TestFile[] {
    return readFolder(this.cursorFolder);
  }

  /** Writes a file into the channel's folder. */
  async write(name: string, text: string | Uint8Array): Promise<void> {
    await Deno.mkdir(this.folder, { recursive: true });
    await writeFile(`${this.folder}/${name}`, text);
  }

  /** Writes a cursor's file. */
  async writeCursor(name: string, text: string | Uint8Array): Promise<void> {
    await Deno.mkdir(this.cursorFolder, { recursive: true });
    await writeFile(`${this.cursorFolder}/${name}.offset`, text);
  }

  /** What a reader gets from a position on, as text. */
  async texts(from: Position = this.log.start, maxBytes = 65_536): Promise<string[]> {
    return await readTexts(this.log, from, maxBytes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.files.heal();
    const closing = this.#logs?.close();
    await this.clock.advance(10_000);
    await closing;
    await this.#dir[Symbol.asyncDispose]();
  }
}

/** All records from a position on, as text. */
export async function readTexts(
  log: ChannelLog,
  from: Position = log.start,
  maxBytes = 65_536,
): Promise<string[]> {
  const reader = log.reader(from);
  const texts: string[] = [];
  try {
    for (;;) {
      const { records } = await reader.read(maxBytes);
      if (records.length === 0) return texts;
      for (const { bytes } of records) texts.push(new TextDecoder().decode(bytes));
    }
  } finally {
    reader.close();
  }
}

/** The name of a segment's file. */
export function segmentFile(start: number): string {
  return `${String(start).padStart(20, "0")}.jsonl`;
}

function readFolder(path: string): TestFile[] {
  return Array.from(Deno.readDirSync(path), ({ name }) => ({
    name,
    text: Deno.readTextFileSync(`${path}/${name}`),
  })).sort((a, b) => a.name < b.name ? -1 : 1);
}

async function writeFile(path: string, text: string | Uint8Array): Promise<void> {
  await Deno.writeFile(path, typeof text === "string" ? new TextEncoder().encode(text) : text);
}
