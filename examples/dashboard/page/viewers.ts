import type { GatewayChannel, PresenceMember } from "@keyop/messenger/client";

type Watched = Pick<GatewayChannel, "presence" | "onPresence">;

const KINDS = ["Amber", "Brisk", "Calm", "Dapper", "Eager", "Fleet", "Gentle", "Hardy"];
const ANIMALS = ["Badger", "Crane", "Dormouse", "Egret", "Falcon", "Heron", "Lynx", "Otter"];
const COLOURS = ["#2f6fed", "#12a594", "#e2762b", "#8b5cf6", "#d6409f", "#4d7c0f"];
const SHOWN = 12;

/** A name for this page, the same after it was loaded again. */
export function viewerName(): string {
  const known = sessionStorage.getItem("viewer");
  if (known !== null) return known;
  const pick = (words: readonly string[]) => words[Math.floor(Math.random() * words.length)]!;
  const name = `${pick(KINDS)} ${pick(ANIMALS)}`;
  sessionStorage.setItem("viewer", name);
  return name;
}

/** Lists who watches the channel. */
export class Viewers {
  readonly #channel: Watched;
  readonly #ownSession: () => string | undefined;
  readonly #list = document.getElementById("viewers")!;
  readonly #occupancy = document.getElementById("occupancy")!;
  #isAsking = false;
  #isStale = false;

  /**
   * Makes it, empty.
   *
   * @param channel The channel that is watched.
   * @param ownSession Names this page's connection.
   */
  constructor(channel: Watched, ownSession: () => string | undefined) {
    this.#channel = channel;
    this.#ownSession = ownSession;
  }

  /** Shows who comes and who goes from now on. */
  async follow(): Promise<void> {
    await this.#channel.onPresence(() => this.refresh());
    this.refresh();
  }

  /** Asks who is there now; once more when something happens meanwhile. */
  refresh(): void {
    if (this.#isAsking) {
      this.#isStale = true;
      return;
    }
    this.#isAsking = true;
    this.#isStale = false;
    this.#channel.presence().then(
      ({ members, occupancy }) => this.#show(members, occupancy),
      // The next connection asks again.
      () => {},
    ).finally(() => {
      this.#isAsking = false;
      if (this.#isStale) this.refresh();
    });
  }

  #show(members: readonly PresenceMember[], occupancy: number): void {
    this.#occupancy.textContent = String(occupancy);
    const own = this.#ownSession();
    const ordered = members.toSorted((a, b) =>
      Number(b.sessionId === own) - Number(a.sessionId === own) ||
      Number(a.connectedAt) - Number(b.connectedAt)
    );
    this.#list.replaceChildren(
      ...ordered.slice(0, SHOWN).map((member) => entry(member, member.sessionId === own)),
    );
  }
}

function entry({ clientId }: PresenceMember, isOwn: boolean): HTMLLIElement {
  const item = document.createElement("li");
  const badge = document.createElement("i");
  badge.textContent = clientId.split(" ").map((word) => word[0]).join("").slice(0, 2);
  badge.style.background = COLOURS[sum(clientId) % COLOURS.length]!;
  item.append(badge, clientId);
  if (isOwn) {
    const note = document.createElement("small");
    note.textContent = "this page";
    item.append(note);
  }
  return item;
}

function sum(text: string): number {
  let total = 0;
  for (const character of text) total += character.codePointAt(0)!;
  return total;
}
