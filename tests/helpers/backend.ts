import { fromBinary, fromJson, type JsonObject, toBinary, toJson } from "@bufbuild/protobuf";
import { Buffer } from "node:buffer";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import {
  type Metadata,
  type sendUnaryData,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
} from "@grpc/grpc-js";
import { proxy } from "../../src/gateway/proto/mod.ts";
import type { TestCredentials } from "./certs.ts";

/** A call that a backend got. */
export interface BackendCall {
  /** As the gateway names it. */
  readonly hook: string;
  /** The message, as protobuf JSON with the names of the schema. */
  readonly request: JsonObject;
  /** Headers or metadata, names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Aborted when the gateway gave the call up. */
  readonly signal: AbortSignal;
}

/** What a backend answers: a message, or a refusal by status (of HTTP, or of gRPC). */
export type BackendAnswer = JsonObject | {
  readonly httpStatus: number;
  readonly grpcStatus: number;
};

/** Answers calls. */
export type BackendHandler = (call: BackendCall) => BackendAnswer | Promise<BackendAnswer>;

/** A backend that runs. */
export interface TestBackend extends AsyncDisposable {
  /** For the configuration. */
  readonly endpoint: string;
  /** Every call so far. */
  readonly calls: BackendCall[];
}

/** Starts a backend over HTTP on a free port. */
export async function startHttpBackend(
  handler: BackendHandler,
  tls?: TestCredentials,
): Promise<TestBackend> {
  const calls: BackendCall[] = [];
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const aborted = new AbortController();
    response.on("close", () => aborted.abort());
    let body = "";
    for await (const part of request.setEncoding("utf8")) body += part;
    const headers = request.headers as Record<string, string>;
    const call = {
      hook: headers["x-messageloop-hook"] ?? "",
      request: JSON.parse(body),
      headers,
      signal: aborted.signal,
    };
    calls.push(call);
    const answer = await handler(call);
    if ("httpStatus" in answer) {
      response.writeHead(Number(answer.httpStatus)).end("secret words of the backend");
    } else {
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer));
    }
  };
  const server = tls === undefined
    ? createServer(serve)
    : createTlsServer({ cert: tls.cert, key: tls.key }, serve);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}/rpc`,
    calls,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Starts a backend over gRPC on a free port. */
export async function startGrpcBackend(
  handler: BackendHandler,
  tls?: TestCredentials,
): Promise<TestBackend> {
  const calls: BackendCall[] = [];
  const server = new Server();
  for (const method of proxy.ProxyService.methods) {
    const path = `/messageloop.proxy.v1.ProxyService/${method.name}`;
    const serve = (
      unary: ServerUnaryCall<Uint8Array, Uint8Array>,
      reply: sendUnaryData<Uint8Array>,
    ): void => {
      const aborted = new AbortController();
      unary.on("cancelled", () => aborted.abort());
      const message = fromBinary(method.input, unary.request);
      const call = {
        hook: method.name,
        request: toJson(method.input, message, { useProtoFieldName: true }) as JsonObject,
        headers: headersOf(unary.metadata),
        signal: aborted.signal,
      };
      calls.push(call);
      Promise.resolve(call).then(handler).then((answer) => {
        if ("grpcStatus" in answer) {
          reply({ code: Number(answer.grpcStatus), details: "secret words of the backend" });
        } else reply(null, toBinary(method.output, fromJson(method.output, answer as JsonObject)));
      }, (error) => reply({ code: 13, details: String(error) }));
    };
    const pass = (bytes: Uint8Array): Buffer => Buffer.from(bytes);
    server.addService({
      [method.name]: {
        path,
        requestStream: false,
        responseStream: false,
        requestSerialize: pass,
        requestDeserialize: pass,
        responseSerialize: pass,
        responseDeserialize: pass,
      },
    }, { [method.name]: serve });
  }
  const credentials = tls === undefined
    ? ServerCredentials.createInsecure()
    : ServerCredentials.createSsl(Buffer.from(tls.ca), [{
      cert_chain: Buffer.from(tls.cert),
      private_key: Buffer.from(tls.key),
    }]);
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync(
      "127.0.0.1:0",
      credentials,
      (error, bound) => error ? reject(error) : resolve(bound),
    )
  );
  return {
    endpoint: `127.0.0.1:${port}`,
    calls,
    [Symbol.asyncDispose]() {
      server.forceShutdown();
      return Promise.resolve();
    },
  };
}

function headersOf(metadata: Metadata): Record<string, string> {
  return Object.fromEntries(
    Object.entries(metadata.getMap()).map(([name, value]) => [name, String(value)]),
  );
}
