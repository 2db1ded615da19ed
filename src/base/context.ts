import type { AsyncLocalStorage } from "node:async_hooks";

/** What a message carries beside its payload, and what is published meanwhile takes on. */
export interface Context {
  /** Empty when there is none. */
  readonly correlationId: string;
  /** Empty when there is none. */
  readonly serviceName: string;
}

const EMPTY: Context = { correlationId: "", serviceName: "" };
let made: AsyncLocalStorage<Context> | undefined;

/** Made when first used and without an import: this room is also part of programs in browsers. */
function storage(): AsyncLocalStorage<Context> {
  return made ??= new (globalThis.process.getBuiltinModule("node:async_hooks").AsyncLocalStorage)();
}

/**
 * Calls a function with a correlation id that everything it starts, also asynchronously, publishes
 * with.
 *
 * @param id The correlation id; empty for none.
 * @param call The function.
 * @returns What the function returned.
 *
 * @example
 * ```ts
 * import { correlationId, withCorrelationId } from "@keyop/messenger";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(withCorrelationId("order-17", () => correlationId()), "order-17");
 * assertEquals(correlationId(), "");
 * ```
 */
export function withCorrelationId<R>(id: string, call: () => R): R {
  return storage().run({ ...current(), correlationId: id }, call);
}

/**
 * Calls a function with a service name that everything it starts, also asynchronously, publishes
 * with.
 *
 * @param name The service's name; empty for none.
 * @param call The function.
 * @returns What the function returned.
 *
 * @example
 * ```ts
 * import { serviceName, withServiceName } from "@keyop/messenger";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(withServiceName("heating", () => serviceName()), "heating");
 * ```
 */
export function withServiceName<R>(name: string, call: () => R): R {
  return storage().run({ ...current(), serviceName: name }, call);
}

/**
 * The current correlation id; inside a handler, that of the message being handled.
 *
 * @returns The id, empty when there is none.
 */
export function correlationId(): string {
  return storage().getStore()?.correlationId ?? "";
}

/**
 * The current service name.
 *
 * @returns The name, empty when there is none.
 */
export function serviceName(): string {
  return storage().getStore()?.serviceName ?? "";
}

/** Whether there is a context at all. */
export function hasContext(): boolean {
  return storage().getStore() !== undefined;
}

/** Calls in a context of its own: neither value is taken from the one around. */
export function withContext<R>(context: Context, call: () => R): R {
  return storage().run(context, call);
}

/** Calls outside of any context, so that a long-lived loop does not inherit its starter's. */
export function withoutContext<R>(call: () => R): R {
  return storage().run(EMPTY, call);
}

function current(): Context {
  return storage().getStore() ?? EMPTY;
}
