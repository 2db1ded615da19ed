import type { Part } from "./cast.ts";
import { type DemoEvent, STOP_PUBLISHING } from "./events.ts";
import type { Folder, Role } from "./folder.ts";
import { Program } from "./program.ts";
import { Progress } from "./progress.ts";
import type { Screen } from "./screen.ts";

/** Readings that are handled before client two is killed. */
const BEFORE_FIRST_KILL = 60;
/** Readings that are published while a program is dead. */
const WHILE_DEAD = 40;
/** Readings that are handled after everyone is there again. */
const AFTERWARDS = 30;

/** Options of a {@linkcode Story}. */
export interface StoryOptions {
  readonly folder: Folder;
  readonly cast: Record<Role, Part>;
  readonly screen: Screen;
  /** Ends it at once, with its reason. */
  readonly signal: AbortSignal;
  /** Takes the error of a program that ended by itself. */
  readonly onFailure: (error: Error) => void;
}

/** What happens in the demo. */
export class Story {
  /** What the programs have told. */
  readonly progress: Progress;
  readonly #options: StoryOptions;
  readonly #running = new Map<Role, Program>();

  /** @param options The programs, and where they work. */
  constructor(options: StoryOptions) {
    this.#options = options;
    this.progress = new Progress(options.signal);
  }

  /**
   * Lets it happen.
   *
   * @throws The signal's reason.
   */
  async run(): Promise<void> {
    const { progress } = this;
    await Promise.all([this.#start("hub"), this.#start("two")]);
    await progress.until("client two to arrive at the hub", () => progress.arrived.has("two"));
    await this.#start("one");
    await this.#handle(BEFORE_FIRST_KILL);

    await this.#kill("two");
    await this.#publishMore(WHILE_DEAD);
    await this.#start("two");
    await this.#catchUp();
    await this.#handle(AFTERWARDS);

    await this.#kill("hub");
    await this.#publishMore(WHILE_DEAD);
    await this.#start("hub");
    await this.#catchUp();
    await this.#handle(AFTERWARDS);

    await this.#running.get("one")!.command(STOP_PUBLISHING);
    await progress.until("client one to end publishing", () => progress.publishingEnded);
    await this.#catchUp();
    await this.stop();
  }

  /** Ends whatever runs. */
  async stop(): Promise<void> {
    await Promise.all(Array.from(this.#running.values(), (program) => program.stop()));
    this.#running.clear();
  }

  async #start(role: Role): Promise<void> {
    const { folder, cast, screen, onFailure } = this.#options;
    const part = cast[role];
    const startsBefore = this.progress.starts(role);
    const program = new Program({
      ...part,
      logPath: folder.log(role),
      onEvent: (event) => this.#take(role, event),
      onFailure,
    });
    this.#running.set(role, program);
    await this.progress.until(
      `${part.name} to come up`,
      () => this.progress.starts(role) > startsBefore,
    );
    const again = startsBefore > 0 ? ` again: ${this.progress.counts}` : "";
    screen.step(`${part.name} is up (process ${program.pid})${again}`);
  }

  async #kill(role: Role): Promise<void> {
    const { cast, screen } = this.#options;
    const program = this.#running.get(role)!;
    this.#running.delete(role);
    await program.kill();
    screen.step(`${cast[role].name} is killed (SIGKILL): ${this.progress.counts}`);
  }

  async #publishMore(count: number): Promise<void> {
    const { published } = this.progress;
    const goal = published.size + count;
    await this.progress.until(`${goal} readings to be published`, () => published.size >= goal);
  }

  async #handle(more: number): Promise<void> {
    const { handled } = this.progress;
    const goal = handled.size + more;
    await this.progress.until(`${goal} readings to be received`, () => handled.size >= goal);
  }

  /** Waits until everything that is published by now was handled. */
  async #catchUp(): Promise<void> {
    const due = new Set(this.progress.published);
    await this.progress.until(
      `client two to receive all of ${due.size} readings`,
      () => due.isSubsetOf(this.progress.handled),
    );
  }

  #take(role: Role, event: DemoEvent): void {
    if (event.event === "handled") {
      const isRepeated = this.progress.handled.has(event.id);
      this.#options.screen.reading(event.reading, event.delayMs, isRepeated);
    }
    this.progress.take(role, event);
  }
}
