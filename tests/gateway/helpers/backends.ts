import type {
  AuthenticateOutcome,
  Backend,
  Backends,
  Caller,
  Hook,
  RpcOutcome,
  RpcRequest,
} from "../../../src/gateway/session/mod.ts";

/** One call that a backend got. */
export interface Call {
  readonly hook: Hook;
  // deno-lint-ignore no-explicit-any -- a test reads what it expects
  readonly request: any;
  readonly caller: Caller;
  readonly signal: AbortSignal;
}

/** What a scripted backend does. */
export interface Script {
  readonly hooks?: readonly Hook[];
  readonly timeoutMs?: number;
  readonly rpc?: (request: RpcRequest, signal: AbortSignal) => Promise<RpcOutcome>;
  readonly authenticate?: (token: string) => Promise<AuthenticateOutcome>;
  readonly subscribeAcl?: (channel: string, token: string) => Promise<void>;
  /** Which lookups find it. @default all */
  readonly matches?: (channel: string, method: string) => boolean;
  /** What notifications do. @default nothing */
  readonly notify?: () => Promise<void>;
}

/** Backends that do what a test says, and keep what they were asked. */
export class ScriptedBackends implements Backends {
  readonly configured = true;
  readonly calls: Call[] = [];
  readonly lookups: string[] = [];
  readonly #script: Script;
  readonly #watchers: (() => void)[] = [];

  constructor(script: Script = {}) {
    this.#script = script;
  }

  find(channel: string, method: string, hook: Hook): Backend | undefined {
    this.lookups.push(`${hook} ${channel} ${method}`);
    const { hooks, matches = () => true } = this.#script;
    if (hooks !== undefined && !hooks.includes(hook) || !matches(channel, method)) return undefined;
    return this.#backend;
  }

  /** The calls of a kind, as soon as there are so many. */
  async until(hook: Hook, count = 1): Promise<Call[]> {
    for (;;) {
      const found = this.of(hook);
      if (found.length >= count) return found;
      await new Promise<void>((resolve) => this.#watchers.push(resolve));
    }
  }

  /** The calls of a kind. */
  of(hook: Hook): Call[] {
    return this.calls.filter((call) => call.hook === hook);
  }

  readonly #backend: Backend = ((): Backend => {
    const note = (hook: Hook, request: unknown, caller: Caller, signal: AbortSignal) => {
      this.calls.push({ hook, request, caller, signal });
      for (const wake of this.#watchers.splice(0)) wake();
    };
    const notice =
      (hook: Hook) => async (request: unknown, caller: Caller, signal: AbortSignal) => {
        note(hook, request, caller, signal);
        await this.#script.notify?.();
      };
    const script = () => this.#script;
    return {
      name: "scripted",
      get timeoutMs() {
        return script().timeoutMs ?? 30_000;
      },
      rpc: (request, caller, signal) => {
        note("RPC", request, caller, signal);
        return script().rpc?.(request, signal) ?? Promise.resolve({});
      },
      authenticate: (request, caller, signal) => {
        note("Authenticate", request, caller, signal);
        return script().authenticate!(request.password);
      },
      subscribeAcl: async (request, caller, signal) => {
        note("SubscribeAcl", request, caller, signal);
        await script().subscribeAcl?.(request.channel, request.token);
      },
      onConnected: notice("OnConnected"),
      onSubscribed: notice("OnSubscribed"),
      onUnsubscribed: notice("OnUnsubscribed"),
      onDisconnected: notice("OnDisconnected"),
    };
  })();
}
