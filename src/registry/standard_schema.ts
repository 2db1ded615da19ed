/**
 * What every schema library that follows the Standard Schema specification offers (zod, valibot,
 * arktype and others), as far as it is used here.
 */
export interface StandardSchema<Output = unknown> {
  /** The specification's members. */
  readonly "~standard": {
    /** Version of the specification. */
    readonly version: 1;
    /** Name of the library. */
    readonly vendor: string;
    /** Checks a value. */
    readonly validate: (
      value: unknown,
    ) => StandardResult<Output> | Promise<StandardResult<Output>>;
    /** For the compiler alone. */
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
  };
}

/** What a schema says of a value. */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] };

/** One thing that is wrong with a value. */
export interface StandardIssue {
  /** What is wrong. */
  readonly message: string;
  /** Where in the value. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** Returns the value in its type, or throws. */
export type ParseFunction<Output = unknown> = (value: unknown) => Output;

/** How a payload type is checked. */
export type PayloadSchema<Output = unknown> = StandardSchema<Output> | ParseFunction<Output>;
