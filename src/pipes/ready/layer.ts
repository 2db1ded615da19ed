/**
 * What a pipe makes of a payload so that the pipe of the same kind at the other end can undo it: an
 * object of three members that any JSON carries.
 */
export interface Layer {
  /** Which kind of pipe made it. */
  readonly $pipe: string;
  /** What the other end needs to know to open it: key ids, algorithms. */
  readonly header: Readonly<Record<string, string>>;
  /** What is inside. */
  readonly body: string;
}

/** Puts a layer around a body. */
export function wrap(kind: string, header: Layer["header"], body: string): Layer {
  return { $pipe: kind, header, body };
}

/**
 * The layer, when the payload is one of that kind.
 *
 * @param kind The kind of pipe.
 * @param payload Whatever came.
 * @returns The layer; undefined when the payload is something else. Its members have their types,
 *   whoever sent them.
 */
export function layerOf(kind: string, payload: unknown): Layer | undefined {
  if (typeof payload !== "object" || payload === null) return undefined;
  const { $pipe, header, body } = payload as Partial<Layer>;
  if ($pipe !== kind || typeof body !== "string") return undefined;
  if (typeof header !== "object" || header === null) return undefined;
  for (const value of Object.values(header)) if (typeof value !== "string") return undefined;
  return payload as Layer;
}

/** Whether a payload might be taken for a layer of that kind. */
export function looksLikeLayer(kind: string, payload: unknown): boolean {
  return typeof payload === "object" && payload !== null &&
    (payload as Partial<Layer>).$pipe === kind;
}
