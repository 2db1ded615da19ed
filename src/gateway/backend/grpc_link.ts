import { type DescMessage, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { Buffer } from "node:buffer";
import { isIP } from "node:net";
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import {
  type ChannelCredentials,
  Client,
  credentials,
  Metadata,
  type ServiceError,
  status,
} from "@grpc/grpc-js";
import { parseHostPort } from "../../config/mod.ts";
import type { HookName, ResolvedProxy } from "../config/mod.ts";
import {
  ANSWER_BYTES_MAX,
  type BackendLink,
  type CallOptions,
  failed,
  identityOf,
  late,
  type Method,
} from "./link.ts";

const SERVICE = "messageloop.proxy.v1.ProxyService";

/** The backend protocol over gRPC. Connects when it is first used. Needs `--allow-net` for the endpoint. */
export class GrpcLink implements BackendLink {
  readonly #client: Client;

  /**
   * Makes the link.
   *
   * @param proxy Where the backend listens, and how its certificate is checked.
   * @param ca PEM of the authorities; undefined is those of the system.
   */
  constructor(
    { endpoint, grpc }: Pick<ResolvedProxy, "endpoint" | "grpc">,
    ca: string | undefined,
  ) {
    const target = endpoint.replace(/^grpc:\/\//, "");
    const { host } = parseHostPort(target.replace(/^dns:\/\/\//, ""));
    const expected = grpc.tls.serverName || host;
    this.#client = new Client(target, credentialsOf(grpc, expected, ca), {
      "grpc.max_receive_message_length": ANSWER_BYTES_MAX,
      // Another gateway of this process may go to the same address with other credentials.
      "grpc.use_local_subchannel_pool": 1,
      // The name that is asked for; an address cannot be one, and is only compared.
      "grpc.ssl_target_name_override": isIP(expected) ? "localhost" : expected,
      ...(grpc.tls.serverName === "" ? {} : { "grpc.default_authority": grpc.tls.serverName }),
    });
  }

  call<I extends DescMessage, O extends DescMessage>(
    method: Method<I, O>,
    request: MessageShape<I>,
    { caller, timeoutMs, signal }: CallOptions,
  ): Promise<MessageShape<O>> {
    const { promise, resolve, reject } = Promise.withResolvers<MessageShape<O>>();
    if (signal.aborted) return Promise.reject(failed("the call was given up"));
    const metadata = new Metadata();
    for (const [name, value] of identityOf(method.name as HookName, caller)) {
      metadata.set(name, value);
    }
    const began = performance.now();
    const call = this.#client.makeUnaryRequest(
      `/${SERVICE}/${method.name}`,
      (message: MessageShape<I>) => Buffer.from(toBinary(method.input, message)),
      // Of a Buffer the bytes of events would be Buffers as well.
      (bytes: Buffer) =>
        fromBinary(method.output, new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length), {
          readUnknownFields: false,
        }),
      request,
      metadata,
      { deadline: Date.now() + timeoutMs },
      (error, response) => {
        signal.removeEventListener("abort", abort);
        if (error) reject(failureOf(error, performance.now() - began));
        else if (response === undefined) reject(failed("proxy returned no answer"));
        else resolve(response);
      },
    );
    const abort = (): void => call.cancel();
    signal.addEventListener("abort", abort, { once: true });
    return promise;
  }

  close(): void {
    this.#client.close();
  }
}

function credentialsOf(
  { insecure, tls }: ResolvedProxy["grpc"],
  expected: string,
  ca: string | undefined,
): ChannelCredentials {
  if (insecure) return credentials.createInsecure();
  const roots = ca === undefined ? null : Buffer.from(ca);
  return credentials.createSsl(
    roots,
    null,
    null,
    tls.insecureSkipVerify ? { checkServerIdentity: () => undefined, rejectUnauthorized: false } : {
      checkServerIdentity: (_, certificate) =>
        checkServerIdentity(expected, certificate as PeerCertificate),
    },
  );
}

function failureOf(error: ServiceError, elapsedMs: number): Error {
  if (error.code === status.DEADLINE_EXCEEDED) return late(elapsedMs);
  const name = status[error.code] ?? String(error.code);
  return failed(`proxy returned status ${name}`, `${name}: ${error.details}`, error);
}
