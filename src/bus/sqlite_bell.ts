import type { DatabaseSync } from "node:sqlite";
import { type Logger, messageOf } from "../base/mod.ts";

/** Who shares a file in this process. */
export interface BellMember {
  /** Something was committed in this process. */
  changed(changes: number): void;
  /** Another process may have committed something. */
  touched(): void;
}

const bells = new Map<string | DatabaseSync, SqliteBell>();

/**
 * Tells those of this process who share a file of its changes: at once when they were made in this
 * process, and when the system says that another one has written to the file's log.
 */
export class SqliteBell {
  readonly #key: string | DatabaseSync;
  readonly #members = new Set<BellMember>();
  readonly #listening = new Set<BellMember>();
  #watcher: Deno.FsWatcher | undefined;
  #canWatch: boolean;

  private constructor(key: string | DatabaseSync) {
    this.#key = key;
    this.#canWatch = typeof key === "string";
  }

  /** Joins those who share a file. */
  static join(key: string | DatabaseSync, member: BellMember): SqliteBell {
    let bell = bells.get(key);
    if (bell === undefined) bells.set(key, bell = new SqliteBell(key));
    bell.#members.add(member);
    return bell;
  }

  /** Leaves them. */
  leave(member: BellMember): void {
    this.#members.delete(member);
    this.#listening.delete(member);
    if (this.#listening.size === 0) this.#unwatch();
    if (this.#members.size === 0) bells.delete(this.#key);
  }

  /** Tells everyone of this process. */
  ring(changes: number): void {
    for (const member of this.#members) member.changed(changes);
  }

  /** Whether a member waits for other processes: nobody watches for those who only publish. */
  listen(member: BellMember, listens: boolean, logger: Logger): void {
    if (!listens) this.#listening.delete(member);
    else if (!this.#listening.has(member)) this.#listening.add(member);
    if (this.#listening.size === 0) this.#unwatch();
    else this.#watch(logger);
  }

  #watch(logger: Logger): void {
    if (this.#watcher !== undefined || !this.#canWatch) return;
    try {
      this.#watcher = Deno.watchFs(`${this.#key}-wal`);
      this.#follow(this.#watcher, logger);
    } catch (error) {
      this.#giveUp(logger, error);
    }
  }

  async #follow(watcher: Deno.FsWatcher, logger: Logger): Promise<void> {
    try {
      for await (const { kind } of watcher) {
        if (kind === "access") continue;
        for (const member of this.#listening) member.touched();
      }
    } catch (error) {
      if (this.#watcher === watcher) this.#giveUp(logger, error);
    }
  }

  /** Polling goes on without it. */
  #giveUp(logger: Logger, error: unknown): void {
    this.#unwatch();
    this.#canWatch = false;
    logger.info("the file of a bus cannot be watched: other processes are noticed by polling", {
      file: String(this.#key),
      error: messageOf(error),
    });
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }
}
