-- wrk: POST readings, each new. Arguments: BATCH GROUPS KEY THREADS. The series
-- are BENCH-0 … with metric pressure; request k sends group k mod GROUPS of BATCH
-- series, all with the time of request k. Readings of one series therefore
-- rise in time as long as fewer than GROUPS requests are in flight. Each of the
-- THREADS, of which GROUPS is a multiple, has its own k and groups.

local threads = 0
local parts, groups, batch, k, step, base = {}, 1, 1, 0, 1, 0

function setup(thread)
	thread:set("first", threads)
	threads = threads + 1
end

local headers = { ["Content-Type"] = "application/json" }

function init(args)
	batch, groups, step = tonumber(args[1]), tonumber(args[2]),
	    tonumber(args[4])
	k = first
	headers["Authorization"] = "Bearer " .. args[3]
	base = os.time() - 7200
	for g = 0, groups - 1 do
		local p = { batch == 1 and "" or '{"readings":[' }
		for i = 0, batch - 1 do
			p[#p] = p[#p] .. (i > 0 and "," or "") ..
			    string.format('{"node":"BENCH-%d","metric":"pressure","ts":"',
			    g * batch + i)
			p[#p + 1] = string.format('","value":%.2f}', 30 + (g + i) % 977 / 10)
		end
		if batch > 1 then
			p[#p] = p[#p] .. "]}"
		end
		parts[g] = p
	end
end

function request()
	local s = base + math.floor(k / 100000)
	local ts = os.date("!%Y-%m-%dT%H:%M:%S", s) ..
	    string.format(".%06dZ", k % 100000 * 10)
	local body = table.concat(parts[k % groups], ts)
	k = k + step
	return wrk.format("POST", nil, headers, body)
end

function done(summary, latency, _)
	io.write(string.format("RESULT %.1f %.3f %.3f %d\n",
	    summary.requests / summary.duration * 1e6,
	    latency:percentile(50) / 1000, latency:percentile(99) / 1000,
	    summary.errors.status + summary.errors.timeout +
	    summary.errors.connect + summary.errors.read))
end
