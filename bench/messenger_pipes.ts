import { type Config, Messenger, silentLogger } from "@keyop/messenger";
import {
  Pipe,
  type PipeConnection,
  type PipeMessage,
  type PipeSendOptions,
} from "@keyop/messenger/pipes";
import { writeLines } from "./lib/limits.ts";
import type { Question } from "./lib/question.ts";
import { measureInTurn, type Party } from "./lib/rounds.ts";
import {
  CHANNEL,
  deliver,
  firstSegment,
  publishOneByOne,
  publishTogether,
  recordLine,
  warmUp,
} from "./lib/workload.ts";

const TOGETHER = 256;

/** Passes everything on. */
class PassThrough extends Pipe {
  override handle(connection: PipeConnection, message: PipeMessage): Promise<void> {
    return super.handle(connection, message);
  }
  override send(
    message: PipeMessage,
    connections: readonly PipeConnection[],
    options?: PipeSendOptions,
  ): Promise<void> {
    return super.send(message, connections, options);
  }
}

/** The same as asynchronous functions: what a pipe costs that waits for what comes after it. */
class AwaitingPassThrough extends Pipe {
  override async handle(connection: PipeConnection, message: PipeMessage): Promise<void> {
    await super.handle(connection, message);
  }
  override async send(
    message: PipeMessage,
    connections: readonly PipeConnection[],
    options?: PipeSendOptions,
  ): Promise<void> {
    await super.send(message, connections, options);
  }
}

/** How the pipes around a messenger are measured, by what is said of them. */
const PIPES = {
  "no pipes": [],
  "three pass-through pipes": [new PassThrough(), new PassThrough(), new PassThrough()],
  "three that await": [
    new AwaitingPassThrough(),
    new AwaitingPassThrough(),
    new AwaitingPassThrough(),
  ],
} as const;

/** What pipes around a messenger cost. */
export const messengerPipes: Question = {
  name: "messenger-pipes",
  asks: "What do three pipes cost that pass everything on, beside none?",
  async run(scale) {
    const { quick } = scale;
    const published = quick ? 2 * TOGETHER : 400 * TOGETHER;
    const delivered = quick ? 2_000 : 200_000;
    const line = await recordLine();
    return await measureInTurn([
      ...inTurn(
        "publish one by one",
        published,
        (dir, pipes) => publish(dir, pipes, (messenger) => publishOneByOne(messenger, published)),
      ),
      ...inTurn(
        `publish ${TOGETHER} at a time`,
        published,
        (dir, pipes) =>
          publish(dir, pipes, (messenger) => publishTogether(messenger, published, TOGETHER)),
      ),
      ...inTurn("deliver a backlog", delivered, async (dir, pipes) => {
        Deno.mkdirSync(`${dir}/channels/${CHANNEL}`, { recursive: true });
        writeLines(firstSegment(dir), line, delivered);
        await using messenger = await open(dir, pipes);
        return await deliver(messenger, delivered);
      }),
    ], scale);
  },
};

function inTurn(
  what: string,
  count: number,
  run: (dir: string, pipes: readonly Pipe[]) => Promise<number>,
): Party[] {
  const [limit] = Object.keys(PIPES);
  return Object.entries(PIPES).map(([name, pipes], index) => ({
    what: `${what}, ${name}`,
    count,
    run: (dir) => run(dir, pipes),
    ...(index > 0 && { limit: `${what}, ${limit}` }),
  }));
}

async function publish(
  dir: string,
  pipes: readonly Pipe[],
  work: (messenger: Messenger) => Promise<number>,
): Promise<number> {
  await using messenger = await open(dir, pipes);
  await warmUp(messenger);
  return await work(messenger);
}

function open(dataDir: string, pipes: readonly Pipe[]): Promise<Messenger> {
  const storage = { dataDir, syncPolicy: "periodic", offsetFlushIntervalMs: 200 } as const;
  const config: Config = { name: "bench", storage };
  return Messenger.open(config, { logger: silentLogger, pipes });
}
