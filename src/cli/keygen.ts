import { normalize } from "node:path";
import {
  formatTime,
  generateCa,
  type GeneratedCertificate,
  generateInstance,
  readPemFile,
} from "../tls/mod.ts";
import {
  type Command,
  type CommandContext,
  type CommandGroup,
  defineCommand,
  defineGroup,
  UsageError,
} from "./command.ts";
import { writeTogether } from "./file_pair.ts";
import { jsonOption, printJson } from "./json.ts";
import { formatFields } from "./table.ts";

const DAYS = {
  type: "integer",
  summary: "How long the certificate is valid",
  valueName: "DAYS",
  default: 730,
  min: 1,
  max: 36_500,
} as const;
const FORCE = { type: "flag", summary: "Overwrite files that exist" } as const;

const ca: Command = defineCommand({
  description: "Makes the certificate authority that all instances trust: a P-384 key and a " +
    "certificate signed with it. Who holds the key can make instances: keep it off the machines " +
    "that run them. Both files are open to their owner alone.",
  options: {
    "out-cert": {
      type: "string",
      summary: "Where the certificate goes",
      valueName: "FILE",
      default: "ca.crt",
    },
    "out-key": {
      type: "string",
      summary: "Where the private key goes",
      valueName: "FILE",
      default: "ca.key",
    },
    days: DAYS,
    force: FORCE,
    ...jsonOption,
  },
  examples: [{ summary: "Make ca.crt and ca.key here", args: "keygen ca" }],
  async run(context) {
    const { "out-cert": cert, "out-key": key, days, force, json } = context.options;
    const output = { cert, key, force, json, keep: [] };
    checkPaths(output);
    await deliver(context, await generateCa({ days, clock: context.clock }), output);
  },
});

const instance: Command = defineCommand({
  description:
    "Makes the certificate by which an instance is known, signed by the CA. Peers know " +
    "the instance by its name. Clients also check the host that they dial: it must be the name " +
    "(or its host part, as of host:7741) or one given with --san, unless they name the hub in " +
    "client.hubs[].name. The certificate ends no later than its CA.",
  options: {
    ca: { type: "string", summary: "The CA's certificate", valueName: "FILE", required: true },
    "ca-key": {
      type: "string",
      summary: "The CA's private key",
      valueName: "FILE",
      required: true,
    },
    name: { type: "string", summary: "The instance's name", valueName: "NAME", required: true },
    san: {
      type: "string",
      summary: "One more DNS name or IP address under which it can be dialled",
      valueName: "HOST",
      repeatable: true,
    },
    "out-cert": {
      type: "string",
      summary: "Where the certificate goes",
      valueName: "FILE",
      defaultText: "NAME.crt",
    },
    "out-key": {
      type: "string",
      summary: "Where the private key goes",
      valueName: "FILE",
      defaultText: "NAME.key",
    },
    days: DAYS,
    force: FORCE,
    ...jsonOption,
  },
  examples: [
    {
      summary: "Make kitchen.crt and kitchen.key here",
      args: "keygen instance --ca ca.crt --ca-key ca.key --name kitchen",
    },
    {
      summary: "A hub that is dialled by address",
      args: "keygen instance --ca ca.crt --ca-key ca.key --name hub --san 192.168.1.5",
    },
  ],
  async run(context) {
    const { ca, "ca-key": caKey, name, san, days, force, json } = context.options;
    const output = {
      cert: context.options["out-cert"] ?? `${fileNameOf(name)}.crt`,
      key: context.options["out-key"] ?? `${fileNameOf(name)}.key`,
      ...{ force, json, keep: [ca, caKey] },
    };
    checkPaths(output);
    const made = await asUsage(async () =>
      await generateInstance({
        caCertPem: await readPemFile(ca),
        caKeyPem: await readPemFile(caKey),
        labels: { caCert: ca, caKey },
        ...{ name, san, days, clock: context.clock },
      })
    );
    await deliver(context, made, output);
    const { dnsNames, ipAddresses } = made.info;
    if (dnsNames.length + ipAddresses.length === 0) {
      await context.stderr.write(
        "note: the name is no host, so clients can only dial this instance as a hub that they " +
          "name in client.hubs[].name; --san adds hosts\n",
      );
    }
    if (made.daysCut > 0) {
      await context.stderr.write(
        `note: valid ${made.daysCut} days less than asked for, as the CA ends then\n`,
      );
    }
  },
});

/** `keygen`: certificates for federation. */
export const keygen: CommandGroup = defineGroup({
  description: "Instances that exchange messages know each other by certificates of one CA: make " +
    "the CA once, then a certificate for each instance.",
  commands: [
    {
      name: "ca",
      summary: "Make a certificate authority",
      load: () => Promise.resolve(ca),
    },
    {
      name: "instance",
      summary: "Make an instance's certificate, signed by the CA",
      load: () => Promise.resolve(instance),
    },
  ],
});

interface Output {
  readonly cert: string;
  readonly key: string;
  readonly force: boolean;
  readonly json: boolean;
  /** The files of the CA, which are not to be overwritten. */
  readonly keep: readonly string[];
}

/** Refuses what is plainly a slip; the files' writer sees what only the file system knows. */
function checkPaths({ cert, key, keep }: Output): void {
  if (normalize(cert) === normalize(key)) {
    throw new UsageError(`certificate and key cannot both go to ${cert}`);
  }
  const kept = keep.map(normalize);
  for (const path of [cert, key]) {
    if (kept.includes(normalize(path))) {
      throw new UsageError(`the CA's file ${path} would be overwritten; give another path`);
    }
  }
}

/** A name as a file's: other characters than letters, digits, `.`, `_` and `-` become `_`. */
function fileNameOf(name: string): string {
  const fit = name.replace(/[^\p{L}\p{N}._-]/gu, "_").replace(/^[.-]/, "_");
  return [...fit].slice(0, 60).join("");
}

/** What the library calls out of range was wrong on the command line. */
async function asUsage<T>(make: () => Promise<T>): Promise<T> {
  try {
    return await make();
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}

async function deliver(
  context: CommandContext,
  { certPem, keyPem, info }: GeneratedCertificate,
  { cert, key, force, json, keep }: Output,
): Promise<void> {
  await writeTogether([{ path: key, text: keyPem }, { path: cert, text: certPem }], {
    overwrite: force,
    keep,
  });
  const validFrom = formatTime(info.notBefore);
  const validUntil = formatTime(info.notAfter);
  const fingerprint = `SHA-256:${info.fingerprint}`;
  const hosts = [...info.dnsNames, ...info.ipAddresses];
  if (json) {
    return await printJson(context, {
      subject: info.subject,
      common_name: info.commonName,
      valid_from: validFrom,
      valid_until: validUntil,
      fingerprint,
      hosts,
      cert,
      key,
    });
  }
  await context.stdout.write(formatFields([
    ["Subject", info.subject],
    ["Valid from", validFrom],
    ["Valid until", validUntil],
    ["Fingerprint", fingerprint],
    ...(info.isCa ? [] : [["Hosts", hosts.join(", ") || "none"] as const]),
    ["Certificate", cert],
    ["Private key", key],
  ]));
}
