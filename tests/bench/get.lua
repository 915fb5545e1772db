-- wrk: GET with a bearer token (first argument); with a number as second
-- argument, of the latest of that many nodes at random, each thread another
-- sequence.
local threads, requests, n, at = 0, {}, 0, 1

function setup(thread)
	thread:set("first", 1 + threads * 104729)
	threads = threads + 1
end

local function pick()
	-- Lehmer, modulus 2^31 - 1: exact in a double.
	at = at * 48271 % 2147483647
	return requests[at % n]
end

function init(args)
	if args[1] and args[1] ~= "" then
		wrk.headers["Authorization"] = "Bearer " .. args[1]
	end
	at = first
	if args[2] then
		n = tonumber(args[2])
		for i = 0, n - 1 do
			requests[i] = wrk.format(nil,
			    "/api/v1/nodes/BENCH-" .. i .. "/latest")
		end
		request = pick
	end
end

function done(summary, latency, _)
	io.write(string.format("RESULT %.1f %.3f %.3f %d\n",
	    summary.requests / summary.duration * 1e6,
	    latency:percentile(50) / 1000, latency:percentile(99) / 1000,
	    summary.errors.status + summary.errors.timeout +
	    summary.errors.connect + summary.errors.read))
end
