/**
 * WebSockets over plain connections and over TLS with certificates on both sides: listening for them
 * and opening them. Needs net, and env for `WS_NO_BUFFER_UTIL` and `WS_NO_UTF_8_VALIDATE`, which the
 * WebSocket library reads.
 *
 * @module
 */
export type {
  ClientCredentials,
  ServerCredentials,
  SocketPeer,
  TlsVersion,
} from "./credentials.ts";
export { DialError, type DialledSocket, dialSocket, type SocketDialOptions } from "./dial.ts";
export {
  type AcceptedSocket,
  type Admission,
  listenForSockets,
  type ListenOptions,
  type Refusal,
  SocketListener,
} from "./listen.ts";
