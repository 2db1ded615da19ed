import { type Config, Messenger, type MessengerOptions } from "@keyop/messenger";
import { RecordingLogger } from "./recording_logger.ts";
import { tempDir } from "./temp.ts";

/** A record as it stands in a channel's file. */
export type StoredLine = Readonly<Record<string, unknown>> & { readonly id: string };

/** What a test may say of the messenger that it wants; the data directory is the helper's. */
export type TestConfig = Omit<Config, "storage"> & {
  readonly storage?: Partial<Config["storage"]>;
};

/** A messenger in a data directory of its own, named `pi` unless the test says otherwise. */
export class TestMessenger implements AsyncDisposable {
  readonly dataDir: string;
  readonly logger = new RecordingLogger();
  readonly #config: Config;
  readonly #options: MessengerOptions;
  readonly #dir: AsyncDisposable | undefined;
  #messenger: Messenger | undefined;

  private constructor(
    dataDir: string,
    config: TestConfig,
    options: MessengerOptions,
    dir: AsyncDisposable | undefined,
  ) {
    const { storage, ...rest } = config;
    this.dataDir = dataDir;
    this.#config = { name: "pi", ...rest, storage: { dataDir, ...storage } };
    this.#options = options;
    this.#dir = dir;
  }

  /** Opens a messenger in a new directory, which disposal removes. */
  static async open(
    config: TestConfig = {},
    options: MessengerOptions = {},
  ): Promise<TestMessenger> {
    const dir = await tempDir();
    const opened = new TestMessenger(dir.path, config, options, dir);
    try {
      await opened.reopen();
    } catch (error) {
      await dir[Symbol.asyncDispose]();
      throw error;
    }
    return opened;
  }

  /** Opens a messenger in a directory that somebody else removes. */
  static async openAt(
    dataDir: string,
    config: TestConfig = {},
    options: MessengerOptions = {},
  ): Promise<TestMessenger> {
    const opened = new TestMessenger(dataDir, config, options, undefined);
    await opened.reopen();
    return opened;
  }

  /** The messenger that is open now, or was last. */
  get messenger(): Messenger {
    return this.#messenger!;
  }

  /** Closes the messenger if it is open, and opens it again with changes to its configuration. */
  async reopen(changes: Partial<Config> = {}): Promise<Messenger> {
    await this.#messenger?.close();
    this.#messenger = await Messenger.open({ ...this.#config, ...changes }, {
      logger: this.logger,
      ...this.#options,
    });
    return this.#messenger;
  }

  /** Every record of a channel, in order, as it stands on the disk. */
  lines(channel: string): StoredLine[] {
    return storedLines(this.dataDir, channel);
  }

  /** The payloads of a channel, in order, as they stand on the disk. */
  payloads(channel: string): unknown[] {
    return this.lines(channel).map(({ payload }) => payload);
  }

  /** What stands in a cursor's file; undefined when there is none. */
  cursor(channel: string, subscriberId: string): number | undefined {
    try {
      const path = `${this.dataDir}/subscribers/${channel}/${subscriberId}.offset`;
      return Number(Deno.readTextFileSync(path));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#messenger?.close();
    await this.#dir?.[Symbol.asyncDispose]();
  }
}

/** Every record of a channel in a data directory, in order. Fails on a line that is no record. */
export function storedLines(dataDir: string, channel: string): StoredLine[] {
  return storedTexts(dataDir, channel).map((line) => JSON.parse(line));
}

/** Every line of a channel in a data directory, in order. */
export function storedTexts(dataDir: string, channel: string): string[] {
  const folder = `${dataDir}/channels/${channel}`;
  let names: string[];
  try {
    names = Array.from(Deno.readDirSync(folder), ({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
  return names.filter((name) => name.endsWith(".jsonl")).sort()
    .flatMap((name) => Deno.readTextFileSync(`${folder}/${name}`).split("\n"))
    .filter((line) => line !== "");
}
