import { ByteSlab } from "./byte_slab.ts";
import { NoResponderError } from "./errors.ts";
import type {
  BusTransport,
  Frame,
  IncomingRequest,
  OutgoingRequest,
  ReplyFrame,
  SentRequest,
  TransportSubscription,
} from "./transport.ts";

const MAX_PAYLOAD_BYTES = 64 * 1024 * 1024;
const DONE: Promise<void> = Promise.resolve();

type Deliver = (frame: Frame) => void | Promise<void>;
type Take = (request: IncomingRequest) => void | Promise<void>;

const slab = new ByteSlab();

/** The subjects that the buses of one process share: who reads them and who serves them. */
export class MemorySubjects {
  /** Readers by subject; a list is replaced, not changed, so that a delivery may subscribe. */
  readonly readers: Map<string, readonly Deliver[]> = new Map();
  /** Servers by subject. */
  readonly groups: Map<string, MemoryServers> = new Map();
}

/** Goes nowhere: readers and servers of the same process are called. */
export class MemoryTransport implements BusTransport {
  readonly name = "memory";
  readonly maxPayloadBytes = MAX_PAYLOAD_BYTES;
  readonly #subjects: MemorySubjects;

  /** @param subjects The subjects that it shares with others. */
  constructor(subjects: MemorySubjects) {
    this.#subjects = subjects;
  }

  publish(subject: string, frame: Frame): Promise<void> {
    const readers = this.#subjects.readers.get(subject);
    if (readers !== undefined) {
      for (let i = 0; i < readers.length; i++) readers[i]!(copyOf(frame));
    }
    return DONE;
  }

  subscribe(subject: string, deliver: Deliver): Promise<TransportSubscription> {
    const { readers } = this.#subjects;
    // A reader of its own, so that the same function may be there twice.
    const reader: Deliver = (frame) => deliver(frame);
    readers.set(subject, [...(readers.get(subject) ?? []), reader]);
    return Promise.resolve({
      dropped: 0,
      close: () => {
        const left = readers.get(subject)?.filter((other) => other !== reader) ?? [];
        if (left.length > 0) readers.set(subject, left);
        else readers.delete(subject);
        return DONE;
      },
    });
  }

  request(
    subject: string,
    request: OutgoingRequest,
    onReply: (frame: ReplyFrame) => void | Promise<void>,
    failed: (error: Error) => void,
  ): Promise<SentRequest> {
    const group = this.#subjects.groups.get(subject);
    if (group === undefined) return Promise.reject(new NoResponderError(subject));
    const pending = new MemoryRequest(request, onReply, failed);
    group.add(pending);
    return Promise.resolve(pending);
  }

  serve(subject: string, take: Take): Promise<TransportSubscription> {
    const { groups } = this.#subjects;
    let group = groups.get(subject);
    if (group === undefined) groups.set(subject, group = new MemoryServers());
    const server = group.join(take);
    return Promise.resolve({
      dropped: 0,
      close: () => {
        if (group.leave(server)) {
          groups.delete(subject);
          group.refuse(() => new NoResponderError(subject));
        }
        return DONE;
      },
    });
  }

  close(): Promise<void> {
    return DONE;
  }
}

interface MemoryServer {
  readonly take: Take;
  busy: boolean;
}

/** The servers of one subject, each in its turn, and the requests that wait for one of them. */
class MemoryServers {
  #servers: MemoryServer[] = [];
  #turn = 0;
  readonly #waiting = new Set<MemoryRequest>();

  join(take: Take): MemoryServer {
    const server = { take, busy: false };
    this.#servers.push(server);
    this.#work();
    return server;
  }

  /** @returns Whether nobody is left. */
  leave(server: MemoryServer): boolean {
    this.#servers = this.#servers.filter((other) => other !== server);
    return this.#servers.length === 0;
  }

  add(request: MemoryRequest): void {
    if (this.#waiting.size === 0) {
      const server = this.#free();
      if (server !== undefined) return this.#give(server, request);
    }
    this.#waiting.add(request);
    request.forget = () => this.#waiting.delete(request);
  }

  refuse(error: () => Error): void {
    for (const request of this.#waiting) request.failed(error());
    this.#waiting.clear();
  }

  #work(): void {
    for (const request of this.#waiting) {
      const server = this.#free();
      if (server === undefined) return;
      this.#waiting.delete(request);
      this.#give(server, request);
    }
  }

  #give(server: MemoryServer, request: MemoryRequest): void {
    const full = server.take(request);
    if (full === undefined) return;
    server.busy = true;
    full.then(() => {
      server.busy = false;
      this.#work();
    });
  }

  #free(): MemoryServer | undefined {
    for (let i = 0; i < this.#servers.length; i++) {
      const server = this.#servers[this.#turn++ % this.#servers.length]!;
      if (!server.busy) return server;
    }
    return undefined;
  }
}

/** A request on its way from a caller to a server, and its replies on their way back. */
class MemoryRequest implements IncomingRequest, SentRequest {
  readonly data: Uint8Array;
  readonly headers: Frame["headers"];
  readonly deadline: number;
  readonly failed: (error: Error) => void;
  /** Takes it out of those that wait for a server. */
  forget: () => void = () => {};
  readonly #onReply: (frame: ReplyFrame) => void | Promise<void>;
  readonly #cancelled = new AbortController();

  constructor(
    request: OutgoingRequest,
    onReply: (frame: ReplyFrame) => void | Promise<void>,
    failed: (error: Error) => void,
  ) {
    this.data = slab.copy(request.data);
    this.headers = request.headers;
    this.deadline = request.deadline;
    this.failed = failed;
    this.#onReply = onReply;
  }

  get cancelled(): AbortSignal {
    return this.#cancelled.signal;
  }

  reply(frame: ReplyFrame): Promise<void> {
    if (this.#cancelled.signal.aborted) return DONE;
    const copy = "data" in frame ? { kind: frame.kind, data: slab.copy(frame.data) } : frame;
    return this.#onReply(copy) ?? DONE;
  }

  cancel(): void {
    this.forget();
    this.#cancelled.abort(new DOMException("The caller does not wait any more", "AbortError"));
  }
}

/** A reader gets bytes of its own: the publisher may use its own again, and another reader change them. */
function copyOf({ data, headers }: Frame): Frame {
  return { data: slab.copy(data), headers };
}
