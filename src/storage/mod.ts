/**
 * Channel logs, cursors, subscribers, dead letters, retention. Needs read and write below the data
 * directory.
 *
 * @module
 */
export type {
  Block,
  ChannelLog,
  ChannelLogs,
  Cursor,
  CursorInfo,
  LogReader,
  LogStats,
  Position,
  RecordData,
  StoredRecord,
} from "./log.ts";
export {
  MemoryChannelLog,
  MemoryChannelLogs,
  type MemoryLogOptions,
} from "./memory_channel_log.ts";
export { FileChannelLogs, type FileChannelLogsOptions } from "./file_channel_logs.ts";
export { denoFiles, type FileStat, type FileSystem, type OpenFile } from "./files.ts";
export { FairTurn } from "./fair_turn.ts";
export type { SyncPolicy } from "./group_commit.ts";
export { dataDirOwner } from "./lock.ts";
export {
  type Handler,
  type HandlerContext,
  type Message,
  PayloadRefusal,
  ReceivedMessage,
  RetryLater,
} from "./message.ts";
export type { DeliveryOptions } from "./delivery.ts";
export { Subscriber, type SubscriberOptions, type SubscriberStats } from "./subscriber.ts";
export {
  type ChannelCheck,
  type Finding,
  type FindingWeight,
  verifyChannel,
  type VerifyOptions,
} from "./verify.ts";
export {
  ChannelTail,
  type ChannelView,
  DataDirView,
  type DataDirViewOptions,
  type TornFile,
} from "./data_dir_view.ts";
