/** One block of a PEM file. */
export interface PemBlock {
  /** What the block holds: `CERTIFICATE`, `PRIVATE KEY`, `EC PRIVATE KEY`, … */
  readonly label: string;
  /** The block's lines, normalised, with its BEGIN and END lines and a final newline. */
  readonly pem: string;
  /** Whether the block has header lines that say it is encrypted. */
  readonly encrypted: boolean;
}

/** Longest text that is looked at, in characters: a bundle of 140 public CAs takes a fifth of it. */
export const MAX_LENGTH = 1024 * 1024;
const BEGIN = /-----BEGIN ([A-Z0-9 ]+)-----/y;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/**
 * Finds the blocks of a PEM text; whatever stands between blocks is skipped.
 *
 * @param text The file's text.
 * @returns The blocks in their order, none when the text has none.
 * @throws {SyntaxError} When a block does not end, holds no base64, or the text is longer than 1 MiB.
 */
export function parsePem(text: string): PemBlock[] {
  if (text.length > MAX_LENGTH) throw new SyntaxError("is longer than 1 MiB, which is no PEM file");
  const blocks: PemBlock[] = [];
  let position = 0;
  while ((position = text.indexOf("-----BEGIN ", position)) !== -1) {
    BEGIN.lastIndex = position;
    const begin = BEGIN.exec(text);
    if (begin === null) {
      position++;
      continue;
    }
    const label = begin[1]!;
    const bodyStart = BEGIN.lastIndex;
    const end = `-----END ${label}-----`;
    const bodyEnd = text.indexOf(end, bodyStart);
    if (bodyEnd === -1) {
      throw new SyntaxError(
        `has a ${label} block without an end; is the file still being written?`,
      );
    }
    blocks.push(parseBlock(label, text.slice(bodyStart, bodyEnd)));
    position = bodyEnd + end.length;
  }
  return blocks;
}

function parseBlock(label: string, body: string): PemBlock {
  const lines = body.split(/\r?\n|\r/).map((line) => line.trim()).filter((line) => line !== "");
  const headers = lines.filter((line) => line.includes(":"));
  const base64 = lines.filter((line) => !line.includes(":")).join("");
  const encrypted = label.startsWith("ENCRYPTED ") ||
    headers.some((header) => /^Proc-Type:.*ENCRYPTED/i.test(header));
  if (!encrypted && (base64.length % 4 !== 0 || !BASE64.test(base64))) {
    throw new SyntaxError(`has a ${label} block that is not base64`);
  }
  return { label, encrypted, pem: joinPem(label, base64) };
}

/** Writes bytes as one PEM block. */
export function encodePem(label: string, bytes: Uint8Array<ArrayBuffer>): string {
  return joinPem(label, bytes.toBase64());
}

function joinPem(label: string, base64: string): string {
  const lines = base64.match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}
