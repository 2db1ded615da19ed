import {
  type Authorizer,
  type ChannelAction,
  DISCONNECTS,
  wireError,
} from "../../../src/gateway/session/mod.ts";

/** Takes every token for the id of its user, and refuses `bad`. */
export function tokenIsUser(
  may: (user: string, action: ChannelAction, channel: string) => boolean = () => true,
): Authorizer {
  return {
    authenticate: ({ token }) =>
      Promise.resolve(
        token === "bad"
          ? {
            ok: false,
            error: wireError("AUTH_ERROR", "no such token"),
            disconnect: DISCONNECTS.invalidToken,
          }
          : { ok: true, user: { id: token, claims: {} } },
      ),
    may: ({ id }, action, channel) => may(id, action, channel),
  };
}
