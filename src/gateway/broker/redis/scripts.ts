import type { Redis } from "ioredis";

/**
 * Keeps and delivers a publication in one step, so that all gateways see offsets in their order.
 *
 * KEYS: stream, counter, epoch. ARGV: pub/sub channel, payload without its closing brace, an epoch to
 * use when there is none, length of the stream, `~` or `=`, milliseconds to keep or 0 for ever.
 */
const PUBLISH = `
if redis.call("EXISTS", KEYS[2]) == 0 then
  redis.call("SET", KEYS[3], ARGV[3])
  for _, entry in ipairs(redis.call("XRANGE", KEYS[1], "-", "+")) do
    for i = 1, #entry[2], 2 do
      if entry[2][i] == "data" and string.find(string.sub(entry[2][i + 1], -120), '"seq":%d+,"ep":"[^"]*"}$') then
        redis.call("XDEL", KEYS[1], entry[1])
      end
    end
  end
end
redis.call("SET", KEYS[3], ARGV[3], "NX")
local epoch = redis.call("GET", KEYS[3])
local seq = redis.call("INCR", KEYS[2])
local payload = ARGV[2] .. ',"seq":' .. string.format("%.0f", seq) .. ',"ep":"' .. epoch .. '"}'
redis.call("XADD", KEYS[1], "MAXLEN", ARGV[5], ARGV[4], "*", "data", payload)
if ARGV[6] ~= "0" then
  for _, key in ipairs(KEYS) do redis.call("PEXPIRE", key, ARGV[6]) end
end
redis.call("PUBLISH", ARGV[1], payload)
return { seq, epoch }`;

/**
 * The end of a history. KEYS: counter, epoch. ARGV: an epoch to begin with when there is none, or
 * nothing; milliseconds to keep or 0 for ever.
 */
const POSITION = `
local seq = redis.call("GET", KEYS[1])
local epoch = redis.call("GET", KEYS[2])
if (not seq or not epoch) and ARGV[1] ~= "" then
  if not seq then redis.call("SET", KEYS[1], 0) end
  redis.call("SET", KEYS[2], ARGV[1])
  if ARGV[2] ~= "0" then
    for _, key in ipairs(KEYS) do redis.call("PEXPIRE", key, ARGV[2]) end
  end
  return { tonumber(seq or 0), redis.call("GET", KEYS[2]) }
end
return { tonumber(seq or 0), epoch or "" }`;

/**
 * Reads a part of a history. Offsets are not indexed, but they grow along the stream: the place of one
 * is found by halving the time in which it must have come.
 *
 * KEYS: stream, counter, epoch. ARGV: offset to start from (exclusive) or -1, its epoch, entries
 * wanted, 1 to read in reverse, bytes at most. Gives offset and epoch of the end, 1 for a gap, 1 when
 * there is more, then id and payload of each entry.
 */
const HISTORY = `
local top = tonumber(redis.call("GET", KEYS[2]) or 0)
local epoch = redis.call("GET", KEYS[3]) or ""
local since, since_epoch = tonumber(ARGV[1]), ARGV[2]
local wanted, reverse, room = tonumber(ARGV[3]), ARGV[4] == "1", tonumber(ARGV[5])

local function payload_of(entry)
  for i = 1, #entry[2], 2 do
    if entry[2][i] == "data" then return entry[2][i + 1] end
  end
end
local function seq_of(entry)
  local payload = payload_of(entry)
  local seq, of = string.match(string.sub(payload or "", -120), '"seq":(%d+),"ep":"([^"]*)"}$')
  if seq and of == epoch then return tonumber(seq) end
end
local function numbered_from(id)
  local count = 1
  while true do
    local entries = redis.call("XRANGE", KEYS[1], id, "+", "COUNT", count)
    for _, entry in ipairs(entries) do
      local seq = seq_of(entry)
      if seq then return seq, entry[1] end
    end
    if #entries < count then return nil end
    id, count = "(" .. entries[#entries][1], 64
  end
end
local function ms_of(id) return tonumber(string.match(id, "^%d+")) end

local first_seq = numbered_from("-")
local gap = 0
if since >= 0 then
  local is_beginning = since == 0 and since_epoch == ""
  if not is_beginning and since_epoch ~= epoch then gap = 1
  elseif since > top then gap = 1
  elseif since < top and (not first_seq or first_seq > since + 1) then gap = 1 end
  if gap == 1 then since = -1 end
end

-- The first entry behind an offset, with whatever an original node wrote between the two.
local function after(offset)
  local oldest = redis.call("XRANGE", KEYS[1], "-", "+", "COUNT", 1)[1]
  if not oldest then return nil end
  local low = ms_of(oldest[1])
  local high = ms_of(redis.call("XREVRANGE", KEYS[1], "+", "-", "COUNT", 1)[1][1]) + 1
  while low < high do
    local middle = math.floor((low + high) / 2)
    local seq = numbered_from(string.format("%.0f-0", middle))
    if not seq or seq > offset then high = middle else low = middle + 1 end
  end
  local id = string.format("%.0f-0", math.max(low - 1, 0))
  local place = id
  while true do
    local entries = redis.call("XRANGE", KEYS[1], id, "+", "COUNT", 64)
    for _, entry in ipairs(entries) do
      local seq = seq_of(entry)
      if seq and seq > offset then return place end
      if seq then place = "(" .. entry[1] end
    end
    if #entries < 64 then return place end
    id = "(" .. entries[#entries][1]
  end
end

local reply = { top, epoch, gap, 0 }
if wanted == 0 then return reply end
local from = reverse and "+" or "-"
if since >= 0 and reverse then
  local place = since > 0 and after(since - 1) or nil
  if place then
    local _, id = numbered_from(place)
    from = id and ("(" .. id) or "+"
  elseif since == 0 then
    return reply
  end
elseif since > 0 then
  from = after(since) or "-"
end
while true do
  local entries
  if reverse then
    entries = redis.call("XREVRANGE", KEYS[1], from, "-", "COUNT", 100)
  else
    entries = redis.call("XRANGE", KEYS[1], from, "+", "COUNT", 100)
  end
  for _, entry in ipairs(entries) do
    if wanted == 0 or room <= 0 then
      reply[4] = 1
      return reply
    end
    local payload = payload_of(entry)
    if payload then
      table.insert(reply, entry[1])
      table.insert(reply, payload)
      wanted = wanted - 1
      room = room - #payload
    end
  end
  if #entries < 100 then return reply end
  from = "(" .. entries[#entries][1]
end`;

/**
 * Makes a member present and tells of it when it was not. KEYS: members. ARGV: session, node and
 * member, pub/sub channel, payload that tells, milliseconds to keep the members.
 */
const JOIN = `
local is_new = redis.call("HSET", KEYS[1], ARGV[1], ARGV[2])
redis.call("PEXPIRE", KEYS[1], ARGV[5])
if is_new == 1 then redis.call("PUBLISH", ARGV[3], ARGV[4]) end
return is_new`;

/** Ends that. KEYS: members. ARGV: session, pub/sub channel, payload that tells. */
const LEAVE = `
local was = redis.call("HDEL", KEYS[1], ARGV[1])
if was == 1 then redis.call("PUBLISH", ARGV[2], ARGV[3]) end
return was`;

/**
 * Reads members, after those of nodes that show no life any more were made to leave. KEYS: members.
 * ARGV: members wanted, the channel, its pub/sub channel, beginning of the names that show life. Gives
 * their number, then members.
 */
const MEMBERS = `
local all = redis.call("HGETALL", KEYS[1])
local alive = {}
local reply = { 0 }
for i = 1, #all, 2 do
  local node, member = string.match(all[i + 1], "^(%S+) (.*)$")
  if node and alive[node] == nil then
    alive[node] = redis.call("EXISTS", ARGV[4] .. node) == 1
  end
  if node and alive[node] then
    reply[1] = reply[1] + 1
    if #reply <= tonumber(ARGV[1]) then table.insert(reply, member) end
  else
    redis.call("HDEL", KEYS[1], all[i])
    if node then
      local told = '{"t":"leave","ch":' .. cjson.encode(ARGV[2]) .. ',"i":' .. member .. "}"
      redis.call("PUBLISH", ARGV[3], told)
    end
  end
end
return reply`;

/** A connection with the commands of the broker. */
export interface ScriptedRedis extends Redis {
  mlPublish(
    ...args: [
      stream: string,
      seq: string,
      epoch: string,
      pubsub: string,
      payload: string,
      newEpoch: string,
      maxLength: number,
      trim: "~" | "=",
      keepMs: number,
    ]
  ): Promise<[seq: number, epoch: string]>;
  mlPosition(
    ...args: [seq: string, epoch: string, newEpoch: string, keepMs: number]
  ): Promise<[seq: number, epoch: string]>;
  mlHistory(
    ...args: [
      stream: string,
      seq: string,
      epoch: string,
      since: number,
      sinceEpoch: string,
      wanted: number,
      reverse: 0 | 1,
      bytes: number,
    ]
  ): Promise<[top: number, epoch: string, gap: number, more: number, ...entries: string[]]>;
  mlJoin(
    ...args: [
      members: string,
      session: string,
      value: string,
      pubsub: string,
      payload: string,
      keepMs: number,
    ]
  ): Promise<number>;
  mlLeave(
    ...args: [members: string, session: string, pubsub: string, payload: string]
  ): Promise<number>;
  mlMembers(
    ...args: [members: string, wanted: number, channel: string, pubsub: string, nodes: string]
  ): Promise<[occupancy: number, ...members: string[]]>;
}

/** Adds the commands to a connection. */
export function withScripts(client: Redis): ScriptedRedis {
  client.defineCommand("mlPublish", { numberOfKeys: 3, lua: PUBLISH });
  client.defineCommand("mlPosition", { numberOfKeys: 2, lua: POSITION });
  client.defineCommand("mlHistory", { numberOfKeys: 3, lua: HISTORY });
  client.defineCommand("mlJoin", { numberOfKeys: 1, lua: JOIN });
  client.defineCommand("mlLeave", { numberOfKeys: 1, lua: LEAVE });
  client.defineCommand("mlMembers", { numberOfKeys: 1, lua: MEMBERS });
  return client as ScriptedRedis;
}
