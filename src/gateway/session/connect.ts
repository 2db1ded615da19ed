import { messageOf } from "../../base/mod.ts";
import type { client } from "../proto/mod.ts";
import { disconnectOf, DISCONNECTS } from "./disconnect.ts";
import type { SessionHost } from "./host.ts";
import type { AuthResult, ConnectInfo } from "./ports.ts";
import type { Session } from "./session.ts";
import type { Prepared } from "./subscriptions.ts";
import { badRequest, wireError } from "./wire_error.ts";

const CLIENT_ID_LENGTH_MAX = 255;
const SESSION_KEY = "keyop-session";
const NOTHING: Prepared = { requests: [], acquired: [], plans: [], metadata: {} };

/**
 * Logs a client in. Never rejects: what goes wrong is the client's to know.
 *
 * @param session The session that wants to be connected.
 * @param host The gateway.
 * @param message The frame.
 * @param asked Its body.
 */
export async function connect(
  session: Session,
  host: SessionHost,
  message: client.InboundMessage,
  asked: client.Connect,
): Promise<void> {
  try {
    await logIn(session, host, message, asked);
  } catch (error) {
    host.logger.error("connecting failed", { session: session.id, error: messageOf(error) });
    session.fail(message, error);
    session.end(DISCONNECTS.notAvailable);
  }
}

async function logIn(
  session: Session,
  host: SessionHost,
  message: client.InboundMessage,
  asked: client.Connect,
): Promise<void> {
  if (asked.clientId.length > CLIENT_ID_LENGTH_MAX) {
    const text = `client_id has at most ${CLIENT_ID_LENGTH_MAX} characters`;
    session.sendError(message, badRequest(text));
    return session.end(DISCONNECTS.badRequest);
  }
  session.clientId = asked.clientId;
  const result = await authenticate(session, host, message, asked);
  if (isOver(session)) return;
  if (!result.ok) {
    session.sendError(message, result.error);
    return session.end(result.disconnect);
  }
  session.user = result.user;
  session.connectedAtMs = host.clock.now();
  // The session that this one follows makes room for it.
  const previousId = message.metadata[SESSION_KEY];
  const mayRecover = previousId === undefined || host.succeeds(session, previousId);
  const refused = host.admit(session);
  if (refused !== undefined) return session.end(refused);
  const { prepared, error } = await prepare(session, asked, mayRecover ? message.metadata : {});
  if (isOver(session)) return session.subscriptions.abandon(prepared);
  if (error !== undefined && disconnectOf(error) !== undefined) return session.fail(message, error);
  session.connected();
  if (isOver(session)) return session.subscriptions.abandon(prepared);
  session.subscriptions.commit(prepared);
  session.answer(message, {
    case: "connected",
    value: { sessionId: session.id, subscriptions: session.subscriptions.list() },
  }, prepared.metadata);
  // Before "connected", an error would be taken for a failure to connect.
  if (error !== undefined) session.fail(message, error);
  session.subscriptions.afterCommit(prepared);
  notify(session, host);
}

async function authenticate(
  session: Session,
  host: SessionHost,
  { metadata }: client.InboundMessage,
  { clientId, clientType, token, version }: client.Connect,
): Promise<AuthResult> {
  const info: ConnectInfo = {
    sessionId: session.id,
    clientId,
    clientType,
    token,
    version,
    metadata,
    transport: session.transport.kind,
    remoteAddress: session.transport.remoteAddress,
  };
  try {
    return await host.authorizer.authenticate(info, session.signal);
  } catch (error) {
    host.logger.warn("authentication failed", { session: session.id, error: messageOf(error) });
    const wire = wireError("AUTH_ERROR", "authentication failed");
    return { ok: false, error: wire, disconnect: DISCONNECTS.invalidToken };
  }
}

async function prepare(
  session: Session,
  { subscriptions }: client.Connect,
  metadata: Readonly<Record<string, string>>,
): Promise<{ prepared: Prepared; error?: unknown }> {
  if (subscriptions.length === 0) return { prepared: NOTHING };
  try {
    return { prepared: await session.subscriptions.prepare(subscriptions, metadata) };
  } catch (error) {
    return { prepared: NOTHING, error };
  }
}

function isOver(session: Session): boolean {
  return session.state === "closed";
}

function notify(session: Session, host: SessionHost): void {
  const backend = host.backends.find("", "$authenticate", "OnConnected");
  if (backend === undefined) return;
  const notice = { sessionId: session.id, username: session.username };
  backend.onConnected(notice, session.caller, new AbortController().signal).catch((error) =>
    host.logger.warn("backend was not told", {
      backend: backend.name,
      hook: "OnConnected",
      error: messageOf(error),
    })
  );
}
