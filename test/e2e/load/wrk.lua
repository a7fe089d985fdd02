-- Sends each line of a file (Authorization, tab, DPoP) once, on one thread, and prints what came back as one line of JSON.
local lines, asked, reserved, answered = {}, 0, 0, 0
statuses = {}

function setup(thread) the_thread = thread end

function init(args)
  for line in io.lines(args[1]) do
    local authorization, dpop = line:match("^(.-)\t(.*)$")
    lines[#lines + 1] = wrk.format("POST", "/mcp", { ["Authorization"] = authorization, ["DPoP"] = dpop, ["Content-Length"] = "0" })
  end
end

-- Asked before every request of a connection: when all lines are given away it waits for the end.
function delay()
  if reserved == #lines then return 3600000 end
  reserved = reserved + 1
  return 0
end

-- The first call is wrk's own, to see what requests look like; that one is not sent.
function request()
  asked = asked + 1
  return lines[math.max(asked - 1, 1)]
end

function response(status)
  local key = tostring(status)
  statuses[key] = (statuses[key] or 0) + 1
  answered = answered + 1
  if answered == #lines then
    wrk.thread:stop()
    print("all answered")
    io.flush()
  end
end

function done(summary)
  local parts = {}
  for status, count in pairs(the_thread:get("statuses")) do parts[#parts + 1] = string.format('"%s":%d', status, count) end
  local e = summary.errors
  io.write(string.format('\n{"statuses":{%s},"errors":{"connect":%d,"read":%d,"write":%d,"timeout":%d},"seconds":%f}\n', table.concat(parts, ","), e.connect, e.read, e.write, e.timeout, summary.duration / 1e6))
end
