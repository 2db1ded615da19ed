/**
 * Which of several instances that serve a subject takes a request. Each of them decides by itself and all
 * come to the same: the one for which the hash of the request's id and its own name is greatest. So every
 * instance takes a share, and when one leaves only its share moves.
 */
export class RequestSharing {
  readonly #self: string;
  readonly #members: Set<string>;

  /** @param self The name of this instance. */
  constructor(self: string) {
    this.#self = self;
    this.#members = new Set([self]);
  }

  /** Whether another instance serves the subject as well, as far as is known. */
  get hasOthers(): boolean {
    return this.#members.size > 1;
  }

  /** An instance serves. @returns Whether that is news. */
  add(instance: string): boolean {
    if (this.#members.has(instance)) return false;
    this.#members.add(instance);
    return true;
  }

  /** An instance serves no more, or seems not to. */
  remove(instance: string): void {
    if (instance !== this.#self) this.#members.delete(instance);
  }

  /** The instance that takes a request. */
  ownerOf(id: string): string {
    let owner = this.#self;
    let greatest = -1;
    for (const member of this.#members) {
      const weight = hash(`${id} ${member}`);
      if (weight > greatest || (weight === greatest && member > owner)) {
        greatest = weight;
        owner = member;
      }
    }
    return owner;
  }
}

/** FNV-1a, its bits mixed: quick, and even enough to share work. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  }
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}
