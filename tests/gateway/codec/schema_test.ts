import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { assertEquals } from "@std/assert";
import {
  client,
  CloudEventAttributeValueSchema,
  CloudEventSchema,
  proxy,
  server,
  shared,
} from "../../../src/gateway/proto/mod.ts";

/** `number name type`, and `= json` where the JSON name is not the usual one. */
const TABLE: readonly (readonly [DescMessage, string])[] = [
  [
    client.InboundMessageSchema,
    `1 id string, 2 channel string, 3 method string, 4 metadata map<string,string>, 5 time uint64,
     11 connect Connect, 12 subscribe Subscribe, 13 unsubscribe Unsubscribe,
     14 rpc_request CloudEvent = rpc_request, 15 ping Ping, 16 publish CloudEvent,
     17 sub_refresh SubRefresh = sub_refresh, 20 survey_request SurveyRequest = survey_request,
     21 survey_response SurveyResponse = survey_response`,
  ],
  [
    client.OutboundMessageSchema,
    `1 id string, 2 metadata map<string,string>, 3 time uint64, 11 error Error,
     12 connected Connected, 13 subscribe_ack SubscribeAck = subscribe_ack,
     14 unsubscribe_ack UnsubscribeAck = unsubscribe_ack, 15 rpc_reply CloudEvent = rpc_reply,
     16 pong Pong, 17 publish_ack PublishAck = publish_ack, 18 publication Publication,
     19 sub_refresh_ack SubRefreshAck = sub_refresh_ack,
     20 survey_request SurveyRequest = survey_request,
     21 survey_response SurveyResponse = survey_response`,
  ],
  [
    client.ConnectSchema,
    `1 client_id string = client_id, 2 client_type string = client_type, 3 token string,
     4 version string, 5 subscriptions repeated Subscription`,
  ],
  [
    client.ConnectedSchema,
    `1 session_id string = session_id, 2 subscriptions repeated Subscription,
     3 publications repeated Publication`,
  ],
  [client.SubscriptionSchema, "1 channel string, 2 ephemeral bool, 3 token string"],
  [client.SubscribeSchema, "1 subscriptions repeated Subscription"],
  [client.SubscribeAckSchema, "1 subscriptions repeated Subscription"],
  [client.UnsubscribeSchema, "1 subscriptions repeated Subscription"],
  [client.UnsubscribeAckSchema, "1 subscriptions repeated Subscription"],
  [client.RefreshSubSchema, "1 subscriptions repeated Subscription"],
  [client.PublicationSchema, "3 messages repeated Message"],
  [client.MessageSchema, "1 id string, 2 channel string, 3 offset uint64, 4 payload CloudEvent"],
  [client.PublishAckSchema, "1 offset uint64"],
  [client.PingSchema, ""],
  [client.PongSchema, ""],
  [client.SubRefreshSchema, "1 channels repeated string"],
  [client.SubRefreshAckSchema, ""],
  [client.SurveyRequestSchema, "1 request_id string, 2 payload CloudEvent"],
  [client.SurveyResponseSchema, "1 request_id string, 2 payload CloudEvent, 3 error Error"],
  [client.RPCRequestSchema, "1 channel string, 2 method string, 3 payload CloudEvent"],
  [client.RPCReplySchema, "1 error Error, 3 payload CloudEvent"],
  [shared.ErrorSchema, "1 code string, 2 type string, 3 message string, 4 metadata Struct"],
  [
    CloudEventSchema,
    `1 id string, 2 source string, 3 spec_version string, 4 type string,
     5 attributes map<string,CloudEventAttributeValue>, 6 binary_data bytes, 7 text_data string,
     8 proto_data Any`,
  ],
  [
    CloudEventAttributeValueSchema,
    `1 ce_boolean bool, 2 ce_integer int32, 3 ce_string string, 4 ce_bytes bytes, 5 ce_uri string,
     6 ce_uri_ref string, 7 ce_timestamp Timestamp`,
  ],
  [
    proxy.RPCRequestSchema,
    "1 id string, 2 channel string, 3 method string, 4 payload CloudEvent",
  ],
  [proxy.RPCResponseSchema, "1 id string, 2 error Error, 3 payload CloudEvent"],
  [
    proxy.AuthenticateRequestSchema,
    "1 username string, 2 password string, 3 client_type string, 4 client_id string",
  ],
  [proxy.AuthenticateResponseSchema, "1 error Error, 2 user_info UserInfo"],
  [
    proxy.UserInfoSchema,
    "1 id string, 2 username string, 3 token string, 4 client_type string, 5 client_id string",
  ],
  [proxy.SubscribeAclRequestSchema, "1 channel string, 2 token string"],
  [proxy.SubscribeAclResponseSchema, ""],
  [proxy.OnConnectedRequestSchema, "1 session_id string, 2 username string"],
  [proxy.OnConnectedResponseSchema, ""],
  [proxy.OnSubscribedRequestSchema, "1 session_id string, 2 channel string, 3 username string"],
  [proxy.OnSubscribedResponseSchema, ""],
  [proxy.OnUnsubscribedRequestSchema, "1 session_id string, 2 channel string, 3 username string"],
  [proxy.OnUnsubscribedResponseSchema, ""],
  [proxy.OnDisconnectedRequestSchema, "1 session_id string, 2 username string"],
  [proxy.OnDisconnectedResponseSchema, ""],
  [
    server.PublishRequestSchema,
    `1 request_id string, 2 metadata map<string,string>, 3 publications repeated Publication`,
  ],
  [
    server.PublicationSchema,
    "1 id string, 2 destination Destination, 3 options Options, 4 payload CloudEvent",
  ],
  [server.Publication_DestinationSchema, "1 sessions repeated string, 2 channels repeated string"],
  [server.Publication_OptionsSchema, "1 add_history bool"],
  [server.PublishResponseSchema, ""],
  [server.DisconnectRequestSchema, "1 sessions repeated string, 2 code uint32, 3 reason string"],
  [server.DisconnectResponseSchema, "1 results map<string,bool>"],
  [server.SubscribeRequestSchema, "1 session_id string, 2 channels repeated string"],
  [server.SubscribeResponseSchema, "1 results map<string,bool>"],
  [server.UnsubscribeRequestSchema, "1 session_id string, 2 channels repeated string"],
  [server.UnsubscribeResponseSchema, "1 results map<string,bool>"],
  [
    server.SurveyRequestSchema,
    "1 request_id string, 2 channel string, 3 payload CloudEvent, 4 timeout_ms int32",
  ],
  [server.SurveyResponseSchema, "1 request_id string, 2 results repeated SurveyResult"],
  [server.SurveyResultSchema, "1 session_id string, 2 payload CloudEvent, 3 error Error"],
];

for (const [message, fields] of TABLE) {
  Deno.test(`${message.typeName} has the fields and numbers of the protocol`, () => {
    const expected = fields.split(",\n").flatMap((line) => line.split(/, (?=\d)/))
      .map((field) => field.trim()).filter((field) => field !== "");
    assertEquals(message.fields.map(describe), expected);
  });
}

Deno.test("the services have the methods of the protocol", () => {
  assertEquals(methods(client.MessagingService), ["MessageLoop"]);
  assertEquals(client.MessagingService.typeName, "messageloop.v1.MessagingService");
  assertEquals(client.MessagingService.method.messageLoop.methodKind, "bidi_streaming");
  assertEquals(proxy.ProxyService.typeName, "messageloop.proxy.v1.ProxyService");
  assertEquals(methods(proxy.ProxyService), [
    "RPC",
    "Authenticate",
    "SubscribeAcl",
    "OnConnected",
    "OnSubscribed",
    "OnUnsubscribed",
    "OnDisconnected",
  ]);
  assertEquals(server.APIService.typeName, "messageloop.server.v1.APIService");
  assertEquals(methods(server.APIService).slice(0, 5), [
    "Publish",
    "Disconnect",
    "Subscribe",
    "Unsubscribe",
    "Survey",
  ]);
});

function methods(service: { readonly methods: readonly { readonly name: string }[] }): string[] {
  return service.methods.map(({ name }) => name);
}

function describe(field: DescField): string {
  const usual = field.name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
  const json = field.jsonName === usual ? "" : ` = ${field.jsonName}`;
  return `${field.number} ${field.name} ${typeOf(field)}${json}`;
}

function typeOf(field: DescField): string {
  switch (field.fieldKind) {
    case "scalar":
      return scalar(field.scalar);
    case "message":
      return field.message.name;
    case "list":
      return `repeated ${field.listKind === "message" ? field.message.name : scalarOf(field)}`;
    case "map":
      return `map<string,${field.mapKind === "message" ? field.message.name : scalarOf(field)}>`;
    default:
      return "enum";
  }
}

function scalarOf(field: { readonly scalar?: ScalarType | undefined }): string {
  return scalar(field.scalar!);
}

function scalar(type: ScalarType): string {
  return ScalarType[type].toLowerCase();
}
