/** Value of an event's attribute. Whole numbers of 32 bits are integers on the wire. */
export type AttributeValue = string | number | boolean | Uint8Array;

/** An event as it travels: a CloudEvent. */
export interface WireEvent {
  /** Its id. */
  readonly id: string;
  /** Who made it; the gateway delivers it with the channel here. */
  readonly source: string;
  /** What it is. */
  readonly type: string;
  /** All else that is told of it. */
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  /** Text and bytes keep their form; undefined when there is none. */
  readonly data: string | Uint8Array | undefined;
}

/** An event on a channel, as it is delivered. */
export interface WireMessage {
  /** The publication's id. */
  readonly id: string;
  /** The channel. */
  readonly channel: string;
  /** 0 when the channel keeps no history of it. */
  readonly offset: number;
  /** What was published. */
  readonly event: WireEvent;
}

/** What is asked for, or was granted, on a channel. */
export interface WireSubscription {
  /** The channel, or a pattern. */
  readonly channel: string;
  /** Whether presence leaves it out. */
  readonly ephemeral?: boolean;
  /** For the backend that decides. */
  readonly token?: string;
}

/** An error as it travels. */
export interface WireError {
  /** Such as `BAD_REQUEST`. */
  readonly code: string;
  /** Such as `client_error`. */
  readonly type: string;
  /** For people. */
  readonly message: string;
  /** What else is told. */
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** Texts that go with a frame. */
export type Metadata = Readonly<Record<string, string>>;

/** Who connects. */
export interface WireConnect {
  /** What the client calls itself. */
  readonly clientId: string;
  /** Kind of client. */
  readonly clientType: string;
  /** What shows who it is. */
  readonly token: string;
  /** The application's version. */
  readonly version: string;
}

/** What the gateway says to a new connection. */
export interface WireConnected {
  /** Names the connection. */
  readonly sessionId: string;
  /** What it is subscribed to already. */
  readonly subscriptions: readonly WireSubscription[];
  /** What was published before. */
  readonly messages: readonly WireMessage[];
}

/** A question of the gateway. */
export interface WireSurveyRequest {
  /** Names the question. */
  readonly requestId: string;
  /** The question. */
  readonly payload: WireEvent;
}

/** A client's answer to a survey. */
export interface WireSurveyResponse {
  /** Names the question. */
  readonly requestId: string;
  /** The answer. */
  readonly payload?: WireEvent;
  /** Or why there is none. */
  readonly error?: WireError;
}

/** What a frame of the client holds. */
export type ClientBody =
  | { readonly kind: "connect"; readonly body: WireConnect }
  | { readonly kind: "subscribe" | "unsubscribe"; readonly body: readonly WireSubscription[] }
  | { readonly kind: "publish" | "rpc_request"; readonly body: WireEvent }
  | { readonly kind: "survey_response"; readonly body: WireSurveyResponse }
  | { readonly kind: "ping"; readonly body: undefined };

/** A frame that the client sends. */
export type ClientFrame = ClientBody & {
  /** The answer has the same. */
  readonly id: string;
  /** Where to publish, or which backend to call. */
  readonly channel?: string;
  /** What to call. */
  readonly method?: string;
  /** What else is told. */
  readonly metadata?: Metadata;
};

/** What a frame of the gateway holds; `other` are those that need nothing to be done. */
export type ServerBody =
  | { readonly kind: "error"; readonly body: WireError }
  | { readonly kind: "connected"; readonly body: WireConnected }
  | { readonly kind: "subscribe_ack"; readonly body: readonly WireSubscription[] }
  | { readonly kind: "rpc_reply"; readonly body: WireEvent }
  | { readonly kind: "publish_ack"; readonly body: { readonly offset: number } }
  | { readonly kind: "publication"; readonly body: readonly WireMessage[] }
  | { readonly kind: "survey_request"; readonly body: WireSurveyRequest }
  | { readonly kind: "pong" | "other"; readonly body: undefined };

/** A frame that the gateway sends. */
export type ServerFrame = ServerBody & {
  /** That of the request, or a new one. */
  readonly id: string;
  /** What else is told. */
  readonly metadata: Metadata;
};

/** How frames become text or bytes. */
export interface FrameCodec {
  /** Offered to the gateway when the WebSocket opens. */
  readonly subprotocol: string;
  /** Whether frames are bytes: the fallback to server-sent events carries only text. */
  readonly binary: boolean;
  /** A frame to send. */
  encode(frame: ClientFrame): string | Uint8Array<ArrayBuffer>;
  /**
   * A frame that arrived.
   *
   * @throws When it is none.
   */
  decode(data: string | Uint8Array): ServerFrame;
}
