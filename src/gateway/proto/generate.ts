/**
 * Writes `gen/` anew from the `.proto` files, with `protoc` (Debian: protobuf-compiler) and
 * protoc-gen-es: `deno task generate:proto`.
 */
const PLUGIN = "npm:@bufbuild/protoc-gen-es@2.17.0";
const here = new URL(".", import.meta.url).pathname;

const folder = await Deno.makeTempDir();
try {
  const plugin = `${folder}/protoc-gen-es`;
  await Deno.writeTextFile(
    plugin,
    `#!/bin/sh\nexec deno run -A --no-lock --quiet ${PLUGIN} "$@"\n`,
  );
  await Deno.chmod(plugin, 0o755);
  await Deno.remove(`${here}gen`, { recursive: true }).catch(() => {});
  await Deno.mkdir(`${here}gen`);
  const { success } = await new Deno.Command("protoc", {
    args: [
      `--plugin=protoc-gen-es=${plugin}`,
      `--proto_path=${here}`,
      `--es_out=${here}gen`,
      "--es_opt=target=ts,import_extension=ts",
      ...protoFiles(here),
    ],
  }).spawn().status;
  if (!success) Deno.exit(1);
} finally {
  await Deno.remove(folder, { recursive: true });
}

function protoFiles(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory
      ? protoFiles(`${folder}${name}/`)
      : name.endsWith(".proto")
      ? [`${folder}${name}`]
      : []
  ).sort();
}
