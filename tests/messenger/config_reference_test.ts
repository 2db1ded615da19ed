import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { parse } from "@std/yaml";
import { ConfigError } from "../../src/base/mod.ts";
import {
  applyDefaults,
  type Config,
  configReference,
  loadConfig,
} from "../../src/messenger/config/mod.ts";
import { type Key, toCamel } from "../../src/config/mod.ts";
import { KEYS } from "../../src/messenger/config/schema.ts";
import { tempDir } from "../helpers/temp.ts";

const documentUrl = new URL("../../docs/configuration.md", import.meta.url);

/** The YAML example of the document. */
async function example(): Promise<string> {
  const found = /```yaml\n(.*?)```/s.exec(await Deno.readTextFile(documentUrl));
  assert(found, "docs/configuration.md has no YAML example");
  return found[1]!;
}

Deno.test("the document has the reference as it is made from the table", async () => {
  assertStringIncludes(
    await Deno.readTextFile(documentUrl),
    configReference(),
    "docs/configuration.md is behind the table: put the output of configReference() into it",
  );
});

Deno.test("the reference has a line for every key, and no key is there twice", () => {
  const lines = configReference().trimEnd().split("\n");
  assertEquals(lines.length, KEYS.length + 2);
  assertEquals(new Set(KEYS.map(({ path }) => path)).size, KEYS.length);
  assertEquals(new Set(lines.map((line) => line.length)).size, 1);
  for (const line of lines) assertEquals(line.split("|").length, 6, line);
});

Deno.test("the example of the document loads, and has every key", async () => {
  const text = await example();
  await using dir = await tempDir();
  await Deno.writeTextFile(`${dir.path}/messenger.yaml`, text);
  const config = await loadConfig(`${dir.path}/messenger.yaml`);
  assertEquals(config.name, "kitchen");

  const present = new Set(pathsOf(parse(text), ""));
  for (const { path } of KEYS) assert(present.has(path), `the example lacks ${path}`);
});

Deno.test("what the example calls a default is one", async () => {
  const lines = (await example()).split("\n");
  let section = "";
  let checked = 0;
  for (const line of lines) {
    section = /^(\w+):/.exec(line)?.[1] ?? section;
    const found = /^ {2}(\w+): (\S+) # the default(?:;|:|$)/.exec(line);
    if (!found) continue;
    const [, name, value] = found;
    const key = KEYS.find(({ path }) => path === `${section}.${name}`);
    assert(key && "default" in key, line);
    assertEquals(value, String(key.default), line);
    checked++;
  }
  assert(checked >= 20, `only ${checked} lines say that they are a default`);
});

Deno.test("every key of the table refuses a value of the wrong kind, under its own path", () => {
  for (const key of KEYS) {
    const error = assertThrows(() => applyDefaults(withWrong(key)), ConfigError);
    const path = toCamel(key.path.replaceAll("[]", "[0]"));
    const own = error.problems.filter((problem) => problem.path === path);
    assertEquals(own.length, 1, `${path}: ${error.message}`);
    assertStringIncludes(own[0]!.message, "found a function");
  }
});

/** A configuration that is wrong at one key, where it has a function. */
function withWrong(key: Key): Config {
  let value: unknown = () => {};
  for (const name of toCamel(key.path).split(".").reverse()) {
    const inner = name.endsWith("[]") ? [value] : value;
    value = { [name.replace("[]", "")]: inner };
  }
  return value as Config;
}

function pathsOf(value: unknown, at: string): string[] {
  if (Array.isArray(value)) return [at, ...value.flatMap((entry) => pathsOf(entry, `${at}[]`))];
  if (typeof value !== "object" || value === null) return [at];
  return Object.entries(value).flatMap(([name, inner]) =>
    pathsOf(inner, at === "" ? name : `${at}.${name}`)
  );
}
