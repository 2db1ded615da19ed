import type { Publication } from "../broker/mod.ts";
import type { Codec, DataForm } from "../codec/mod.ts";
import type { Frame } from "./ports.ts";

/** A publication on its way to many: encoded once for each codec, when first asked for. */
export class Delivery {
  readonly publication: Publication;
  readonly #form: DataForm;
  readonly #nowMs: number;
  #json: Frame | undefined;
  #proto: Frame | undefined;

  /**
   * @param publication What is delivered.
   * @param form Form of its data.
   * @param nowMs Wall time in milliseconds since 1970.
   */
  constructor(publication: Publication, form: DataForm, nowMs: number) {
    this.publication = publication;
    this.#form = form;
    this.#nowMs = nowMs;
  }

  /** The frame for receivers that speak this codec. */
  frame(codec: Codec): Frame {
    return codec.isText ? this.#json ??= this.#encode(codec) : this.#proto ??= this.#encode(codec);
  }

  #encode(codec: Codec): Frame {
    const head = { id: crypto.randomUUID(), timeMs: this.#nowMs };
    const form = { data: this.#form, replay: false };
    return { bytes: codec.encodePublications(head, [this.publication], form) };
  }
}
