import { Buffer } from "node:buffer";

const TEXT = 0x81;
const BINARY = 0x82;

/**
 * A whole message as a server's frame: it is not masked, so that the same bytes do for every receiver.
 *
 * @param payload The message.
 * @param isText Whether it is text.
 */
export function websocketFrame(payload: Uint8Array, isText: boolean): Buffer {
  const { length } = payload;
  const head = length > 0xffff ? 10 : length > 125 ? 4 : 2;
  const frame = Buffer.allocUnsafeSlow(head + length);
  frame[0] = isText ? TEXT : BINARY;
  const view = new DataView(frame.buffer, frame.byteOffset);
  if (head === 2) frame[1] = length;
  else if (head === 4) {
    frame[1] = 126;
    view.setUint16(2, length);
  } else {
    frame[1] = 127;
    view.setBigUint64(2, BigInt(length));
  }
  frame.set(payload, head);
  return frame;
}
