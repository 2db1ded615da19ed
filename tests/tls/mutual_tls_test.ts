import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { once } from "node:events";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import tls from "node:tls";
import {
  commonNameOf,
  type Credentials,
  generateCa,
  type GeneratedCertificate,
  loadCredentials,
} from "../../src/tls/mod.ts";
import { tempDir } from "../helpers/temp.ts";
import { DAY_MS, filesOf, issue, ManualClock, PATHS } from "./helpers.ts";
import { hasOpenssl, KEY_KINDS, opensslCa, opensslSign } from "./openssl.ts";

const ca = await generateCa();
const hub = await credentialsOf(await issue(ca, "localhost"));
const kitchen = await credentialsOf(await issue(ca, "kitchen"));
const foreignCa = await generateCa({ commonName: "Foreign CA" });
const stranger = await credentialsOf(await issue(foreignCa, "kitchen"), foreignCa);

function credentialsOf(instance: GeneratedCertificate, issuer = ca): Promise<Credentials> {
  return loadCredentials(PATHS, filesOf({ ca: issuer, instance }));
}

/** A server that asks for certificates and greets each client by the name on its certificate. */
async function startServer(credentials: tls.TlsOptions) {
  const { cert, key, ca, minVersion } = credentials as Record<string, string>;
  const server = tls.createServer({
    ...{ cert, key, ca, requestCert: true, rejectUnauthorized: true },
    ...(minVersion === undefined ? {} : { minVersion: minVersion as tls.SecureVersion }),
  }, (socket) => {
    socket.on("error", () => {});
    socket.end(commonNameOf(socket.getPeerCertificate().raw) ?? "nobody");
  });
  server.on("tlsClientError", () => {});
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    server,
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close();
      await once(server, "close");
    },
  };
}

/** Connects and returns how the server greeted; rejects when either side refuses the other. */
async function greet(port: number, options: tls.ConnectionOptions): Promise<string> {
  const socket = tls.connect({ port, host: "127.0.0.1", ...options });
  try {
    let greeting = "";
    for await (const chunk of socket) greeting += chunk;
    if (greeting === "") throw new Error("closed without a word");
    return greeting;
  } finally {
    socket.destroy();
  }
}

const tlsOptions = ({ cert, key, ca }: Credentials) => ({ cert, key, ca });

Deno.test("server and client accept each other's certificates", async () => {
  await using server = await startServer(hub);
  assertEquals(await greet(server.port, tlsOptions(kitchen)), "kitchen");
});

for (const name of ["host:7741", "kitchen pi", "größe", "#abc", "x".repeat(255)]) {
  Deno.test(`an instance named ${JSON.stringify(name.slice(0, 20))} is accepted under that name`, async () => {
    await using server = await startServer(hub);
    const credentials = await credentialsOf(await issue(ca, name));
    assertEquals(await greet(server.port, tlsOptions(credentials)), name);
  });
}

Deno.test("a client without a certificate is refused", async () => {
  await using server = await startServer(hub);
  const error = await assertRejects(() => greet(server.port, { ca: hub.ca }));
  assertEquals((error as { code?: string }).code, "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED");
});

Deno.test("a client with a certificate of another CA is refused", async () => {
  await using server = await startServer(hub);
  await assertRejects(() => greet(server.port, { ...tlsOptions(stranger), ca: hub.ca }));
});

Deno.test("a client with an expired certificate is refused", async () => {
  const clock = new ManualClock(Date.now() - 10 * DAY_MS);
  const old = await generateCa({ clock });
  const [expired, current] = [
    await issue(old, "kitchen", { days: 9, clock }),
    await issue(old, "kitchen", { days: 11, clock }),
  ];
  await using server = await startServer({ ...hub, ca: old.certPem });
  const show = ({ certPem, keyPem }: GeneratedCertificate) =>
    greet(server.port, { cert: certPem, key: keyPem, ca: hub.ca });
  assertEquals(await show(current), "kitchen");
  await assertRejects(() => show(expired));
});

Deno.test("a client refuses the server of another CA", async () => {
  await using server = await startServer({ ...stranger, ca: hub.ca });
  await assertRejects(
    () => greet(server.port, { ...tlsOptions(kitchen), servername: "kitchen" }),
    Error,
    "certificate",
  );
  assertEquals(
    await greet(server.port, { ...tlsOptions(kitchen), ca: stranger.ca, servername: "kitchen" }),
    "kitchen",
  );
});

Deno.test("a client refuses a server under a host that is not on its certificate", async () => {
  await using server = await startServer(kitchen);
  const error = await assertRejects(() => greet(server.port, tlsOptions(kitchen)));
  assertEquals((error as { code?: string }).code, "ERR_TLS_CERT_ALTNAME_INVALID");
  assertEquals(
    await greet(server.port, { ...tlsOptions(hub), servername: "kitchen" }),
    "localhost",
  );
});

Deno.test("checkServerIdentity can compare the common name in place of the host", async () => {
  const named = await credentialsOf(await issue(ca, "kitchen pi"));
  await using server = await startServer(named);
  const expecting = (name: string): tls.ConnectionOptions => ({
    ...tlsOptions(kitchen),
    checkServerIdentity: (_host, certificate) =>
      commonNameOf(certificate.raw) === name ? undefined : new Error(`this is not ${name}`),
  });
  assertEquals(await greet(server.port, expecting("kitchen pi")), "kitchen");
  await assertRejects(() => greet(server.port, expecting("cellar")), Error, "this is not cellar");
  await using foreign = await startServer({ ...stranger, ca: hub.ca });
  await assertRejects(() => greet(foreign.port, expecting("kitchen")), Error, "certificate");
});

Deno.test("minVersion refuses an older version of TLS on either side", async () => {
  await using server = await startServer({ ...hub, minVersion: "TLSv1.3" });
  assertEquals(
    await greet(server.port, { ...tlsOptions(kitchen), minVersion: "TLSv1.3" }),
    "kitchen",
  );
  await assertRejects(
    () => greet(server.port, { ...tlsOptions(kitchen), maxVersion: "TLSv1.2" }),
    Error,
    "ProtocolVersion",
  );
});

Deno.test("a running server takes renewed credentials for new connections", async () => {
  await using server = await startServer(hub);
  const peer = async (expected: string) => {
    const seen: (string | undefined)[] = [];
    await greet(server.port, {
      ...tlsOptions(kitchen),
      checkServerIdentity: (_host, { raw }) => void seen.push(commonNameOf(raw)),
    });
    assertEquals(seen, [expected]);
  };
  await peer("localhost");
  server.server.setSecureContext(tlsOptions(await credentialsOf(await issue(ca, "renewed"))));
  await peer("renewed");
});

Deno.test("fetch shows and checks the same credentials", async () => {
  const server = https.createServer({
    ...tlsOptions(hub),
    ...{ requestCert: true, rejectUnauthorized: true },
  }, (request, response) => {
    response.end(
      commonNameOf((request.socket as tls.TLSSocket).getPeerCertificate().raw) ?? "nobody",
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const { cert, key, ca: caCert } = kitchen;
  {
    using client = Deno.createHttpClient({ caCerts: [caCert], cert, key, http2: false });
    const response = await fetch(`https://127.0.0.1:${port}/`, { client });
    assertStringIncludes(await response.text(), "kitchen");
  }
  server.close();
  server.closeAllConnections();
  await once(server, "close");
});

for (const kind of Object.keys(KEY_KINDS)) {
  Deno.test(`${kind} certificates that openssl made serve on both sides`, {
    ignore: !hasOpenssl,
  }, async () => {
    await using dir = await tempDir();
    await opensslCa(dir.path, "ca", kind);
    const extensions = ["subjectAltName=IP:127.0.0.1"];
    await opensslSign(dir.path, "hub", "ca", { kind, extensions });
    const at = (file: string) => join(dir.path, file);
    const loaded = await loadCredentials({
      cert: at("hub.crt"),
      key: at("hub.key"),
      ca: at("ca.crt"),
    });
    await using server = await startServer(loaded);
    assertEquals(await greet(server.port, tlsOptions(loaded)), "hub");
  });
}
