/**
 * Pipes around a messenger.
 *
 * @module
 */
export { ChannelPipes } from "./channel_pipes.ts";
export type { GroupOutlet, MadeRecord, Outlet } from "./outlet.ts";
export { PipedPublisher } from "./piped_publisher.ts";
