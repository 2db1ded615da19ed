/**
 * The messages of the wire, generated from the `.proto` files beside this one. Needs no permission.
 *
 * @module
 */
export * from "./gen/io/cloudevents/v1/cloudevents_pb.ts";
export * as shared from "./gen/messageloop/shared/v1/error_pb.ts";
export * as client from "./gen/messageloop/v1/messageloop_pb.ts";
export * as proxy from "./gen/messageloop/proxy/v1/proxy_pb.ts";
export * as server from "./gen/messageloop/server/v1/server_pb.ts";
