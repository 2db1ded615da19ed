import type { BrokerEvents, Member, Publication } from "../../../src/gateway/broker/mod.ts";
import { until } from "../../helpers/until.ts";

/** Keeps what a broker tells. */
export class RecordingEvents implements BrokerEvents {
  readonly publications: Publication[] = [];
  readonly presences: { channel: string; action: "join" | "leave"; sessionId: string }[] = [];
  readonly interruptions: { channel: string; complete: boolean }[] = [];
  /** Called with each publication, before it is kept. */
  onPublication: (publication: Publication) => void = () => {};

  publication(publication: Publication): void {
    this.onPublication(publication);
    this.publications.push(publication);
  }

  presence(channel: string, action: "join" | "leave", { sessionId }: Member): void {
    this.presences.push({ channel, action, sessionId });
  }

  interrupted(channel: string, complete: boolean): void {
    this.interruptions.push({ channel, complete });
  }

  /** The publications of a channel. */
  of(channel: string): Publication[] {
    return this.publications.filter((publication) => publication.channel === channel);
  }

  /** Settles when so many publications of a channel have come. */
  async received(channel: string, count: number): Promise<Publication[]> {
    await until(`${count} publications of ${channel}`, () => this.of(channel).length >= count);
    return this.of(channel);
  }
}
