import { defineMessage } from "@keyop/messenger/pipes";

/** What a sensor says. */
export interface Reading {
  readonly sensor: string;
  readonly celsius: number;
  readonly humidity: number;
  readonly location: string;
  readonly ok: boolean;
}

/** The type that everything is sent as. */
export const Reading = defineMessage<Reading>({ code: 10, name: "Reading" });

/** The value that is sent. */
export const READING: Reading = {
  sensor: "kitchen/window",
  celsius: 21.5,
  humidity: 45,
  location: "ground floor, left wing",
  ok: true,
};
