import { CertificateError, ConfigError, messageOf } from "../base/mod.ts";
import { loadServerIdentity, type ServerIdentity } from "../tls/mod.ts";
import type { ResolvedGatewayConfig, ResolvedServerTls } from "./config/mod.ts";

/** What a configuration names by its files. */
export interface Secrets {
  readonly websocketTls: ServerIdentity | undefined;
  readonly grpcTls: ServerIdentity | undefined;
  readonly adminTls: ServerIdentity | undefined;
  /** Undefined when there is none. */
  readonly adminToken: string | undefined;
}

/**
 * Reads the files of certificates, keys and the admin's token. Needs `--allow-read` for them.
 *
 * @throws {ConfigError} With every file that cannot be used.
 */
export async function readSecrets(
  { transport, admin }: Pick<ResolvedGatewayConfig, "transport" | "admin">,
): Promise<Secrets> {
  const [websocketTls, grpcTls, adminTls, adminToken] = await allOf([
    transport.websocket.enabled
      ? readTls("transport.websocket.tls", transport.websocket.tls)
      : undefined,
    transport.grpc.enabled ? readTls("transport.grpc.tls", transport.grpc.tls) : undefined,
    admin.enabled ? readTls("admin.tls", admin.tls) : undefined,
    admin.enabled ? readToken(admin) : undefined,
  ]);
  return { websocketTls, grpcTls, adminTls, adminToken };
}

/**
 * Waits for all, and gathers the problems of configurations among what fails.
 *
 * @throws {ConfigError} With every problem.
 */
export async function allOf<T extends readonly unknown[]>(
  work: readonly [...{ [K in keyof T]: T[K] | Promise<T[K]> }],
): Promise<T> {
  const settled = await Promise.allSettled(work);
  const failures = settled.flatMap((result) =>
    result.status === "rejected" ? [result.reason as unknown] : []
  );
  const problems = failures.flatMap((error) => error instanceof ConfigError ? error.problems : []);
  const other = failures.find((error) => !(error instanceof ConfigError));
  if (other !== undefined) throw other;
  if (problems.length > 0) throw new ConfigError("configuration", problems);
  return settled.map((result) => (result as PromiseFulfilledResult<unknown>).value) as unknown as T;
}

async function readTls(
  path: string,
  { certFile, keyFile }: ResolvedServerTls,
): Promise<ServerIdentity | undefined> {
  if (certFile === "") return undefined;
  try {
    return await loadServerIdentity(certFile, keyFile);
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error;
    const name = error.path === keyFile ? "key_file" : "cert_file";
    throw problem(`${path}.${name}`, error.message, error);
  }
}

async function readToken(admin: ResolvedGatewayConfig["admin"]): Promise<string | undefined> {
  if (admin.authToken !== "") return admin.authToken;
  if (admin.authTokenFile === "") return undefined;
  const path = "admin.auth_token_file";
  // An editor ends a file with a line end, which is no part of the token.
  const token = (await readFile(path, admin.authTokenFile)).replace(/\r?\n$/, "");
  if (token.length >= 8) return token;
  throw problem(path, "holds fewer than 8 characters; a secret needs at least 8, and better 32");
}

async function readFile(path: string, file: string): Promise<string> {
  try {
    return await Deno.readTextFile(file);
  } catch (error) {
    throw problem(path, `cannot be read: ${messageOf(error)}`, error);
  }
}

function problem(path: string, message: string, cause?: unknown): ConfigError {
  return new ConfigError("configuration", [{ path, message }], { cause });
}
