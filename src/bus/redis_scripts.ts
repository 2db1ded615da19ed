import type { Buffer } from "node:buffer";
import type { Redis } from "ioredis";

/**
 * Puts a request into a subject's list, behind its deadline by the server's clock. Requests at the front
 * that nobody waits for any more are removed first; the list itself expires with its last request.
 * Gives 0 when the list is full, else 1.
 */
const ASK = `
local now = redis.call("TIME")
now = now[1] * 1000 + math.floor(now[2] / 1000)
for _ = 1, 16 do
  local first = redis.call("LINDEX", KEYS[1], 0)
  if not first or tonumber(string.sub(first, 1, 13)) > now then break end
  redis.call("LPOP", KEYS[1])
end
if redis.call("LLEN", KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
local timeout = tonumber(ARGV[2])
redis.call("RPUSH", KEYS[1], string.format("%013.0f", now + timeout) .. ARGV[1])
if redis.call("PTTL", KEYS[1]) < timeout then redis.call("PEXPIRE", KEYS[1], timeout) end
return 1`;

/**
 * Removes a request that no server has taken. Its deadline is not known to the caller.
 */
const RETRACT = `
local all = redis.call("LRANGE", KEYS[1], 0, -1)
for _, one in ipairs(all) do
  if string.sub(one, 14) == ARGV[1] then return redis.call("LREM", KEYS[1], 1, one) end
end
return 0`;

/** Puts a reply into a caller's list, which expires some time after its last reply. Gives 0 when it is full. */
const ANSWER = `
if redis.call("LLEN", KEYS[1]) >= tonumber(ARGV[3]) then return 0 end
redis.call("RPUSH", KEYS[1], ARGV[1])
redis.call("PEXPIRE", KEYS[1], ARGV[2])
return 1`;

/** A connection with the commands that requests need. */
export interface ScriptedRedis extends Redis {
  /** Puts a request into a list. @returns 0 when it is full. */
  busAsk(key: string, entry: Buffer, timeoutMs: number, lengthMax: number): Promise<number>;
  /** Takes a request out of a list that no server has taken. */
  busRetract(key: string, entry: Buffer): Promise<number>;
  /** Puts a reply into a list. @returns 0 when it is full. */
  busAnswer(key: string, entry: Buffer, expiryMs: number, lengthMax: number): Promise<number>;
}

/** Adds the commands to a connection. */
export function withScripts(client: Redis): ScriptedRedis {
  client.defineCommand("busAsk", { numberOfKeys: 1, lua: ASK });
  client.defineCommand("busRetract", { numberOfKeys: 1, lua: RETRACT });
  client.defineCommand("busAnswer", { numberOfKeys: 1, lua: ANSWER });
  return client as ScriptedRedis;
}
