-- What a Lua program uses of the language, the C library and the system; one line for each part that is right.
local folder = ...

local function part(name, check)
  check()
  print("ok " .. name)
end

local function fails(message, call, ...)
  local good, text = pcall(call, ...)
  assert(not good and tostring(text):find(message, 1, true), text)
end

part("numbers", function()
  assert(7 // 2 == 3 and -7 // 2 == -4 and -7 % 3 == 2 and 7.5 // 2 == 3.0)
  assert(math.maxinteger + 1 == math.mininteger and math.type(2^53) == "float")
  assert(0x7fffffffffffffff == math.maxinteger and 1e308 * 10 == math.huge and 0/0 ~= 0/0)
  assert(tostring(2^63) == "9.2233720368548e+18" and tostring(0.1) == "0.1")
  assert(string.format("%.17g", 0.1) == "0.10000000000000001")
  assert(tonumber("0x1p-2") == 0.25 and tonumber("1e1") == 10.0 and tonumber("z", 36) == 35 and not tonumber("1x"))
  assert((1 << 62) >> 61 == 2 and ~5 & 0xf == 10 and 6 ~ 3 == 5)
  assert(math.floor(-0.5) == -1 and math.ceil(-0.5) == 0 and math.fmod(-7, 3) == -1 and math.ult(1, -1))
  assert(math.abs(math.sin(math.pi / 6) - 0.5) < 1e-15 and math.exp(0) == 1 and math.log(8, 2) == 3)
  math.randomseed(42)
  local seen = {}
  for _ = 1, 1000 do seen[math.random(1, 6)] = true end
  assert(#seen == 6)
end)

part("strings", function()
  assert(("%5.2f|%-5d|%05d|%x|%q"):format(3.14159, 42, 42, 255, "a\nb") == " 3.14|42   |00042|ff|\"a\\\nb\"")
  assert(("key = value; k2=v2"):gsub("(%w+)%s*=%s*(%w+)", "%2=%1") == "value=key; v2=k2")
  local words = {}
  for word in ("the quick brown fox"):gmatch("%a+") do words[#words + 1] = word:upper() end
  assert(table.concat(words, "-") == "THE-QUICK-BROWN-FOX")
  assert(("f(a(b)c)d"):match("%b()") == "(a(b)c)" and ("abc"):rep(3, ",") == "abc,abc,abc")
  assert(("x"):byte() == 120 and string.char(104, 105) == "hi" and ("hello"):sub(-3, -2) == "ll")
  assert(string.unpack("<i4", string.pack("<i4", -2)) == -2 and #string.pack("z", "abc") == 4)
  assert(utf8.char(228, 8364) == "\xc3\xa4\xe2\x82\xac" and utf8.len("\xc3\xa4\xe2\x82\xac") == 2)
  assert("a" < "b" and "Z" < "a" and #("\0\0") == 2)
end)

part("tables", function()
  local numbers, seed = {}, 42
  for i = 1, 2000 do seed = (seed * 1103515245 + 12345) % 2147483648; numbers[i] = seed end
  table.sort(numbers)
  for i = 2, #numbers do assert(numbers[i - 1] <= numbers[i]) end
  table.sort(numbers, function(a, b) return a > b end)
  assert(numbers[1] == math.max(table.unpack(numbers, 1, 100)))
  local list = table.pack(1, nil, 3)
  assert(list.n == 3 and select("#", table.unpack(list, 1, 3)) == 3)
  table.insert(numbers, 1, "first"); assert(table.remove(numbers, 1) == "first" and #numbers == 2000)
  assert(table.concat(table.move({ 1, 2, 3 }, 1, 3, 2), ",") == "1,1,2,3")
  local weak = setmetatable({}, { __mode = "k" })
  weak[{}] = true
  collectgarbage()
  assert(next(weak) == nil)
end)

part("metatables", function()
  local Vector = {}
  Vector.__index = Vector
  Vector.__add = function(a, b) return setmetatable({ x = a.x + b.x }, Vector) end
  Vector.__eq = function(a, b) return a.x == b.x end
  Vector.__lt = function(a, b) return a.x < b.x end
  Vector.__tostring = function(a) return "<" .. a.x .. ">" end
  Vector.__call = function(a, n) return a.x * n end
  local a, b = setmetatable({ x = 1 }, Vector), setmetatable({ x = 2 }, Vector)
  assert(tostring(a + b) == "<3>" and a ~= b and a < b and b(21) == 42)
  fails("attempt to index a nil value", function() return a.nothing.at_all end)
end)

part("coroutines", function()
  local function permutations(list, n)
    if n == 0 then coroutine.yield(table.concat(list)) return end
    for i = 1, n do
      list[i], list[n] = list[n], list[i]
      permutations(list, n - 1)
      list[i], list[n] = list[n], list[i]
    end
  end
  local count, seen = 0, {}
  for text in coroutine.wrap(function() permutations({ "a", "b", "c", "d", "e" }, 5) end) do
    count = count + 1
    seen[text] = true
  end
  assert(count == 120 and seen.edcba)
  local co = coroutine.create(function() error({ code = 7 }) end)
  local good, value = coroutine.resume(co)
  assert(not good and value.code == 7 and coroutine.status(co) == "dead")
  local closed
  do local guard <close> = setmetatable({}, { __close = function() closed = true end }) end
  assert(closed)
end)

part("errors", function()
  fails("stack overflow", function() local function f() return 1 + f() end return f() end)
  local message = select(2, xpcall(function() error("deep") end, debug.traceback))
  assert(message:find("deep", 1, true) and message:find("stack traceback", 1, true))
  fails("malformed pattern", string.find, "x", "[")
  assert(load("return 1 +") == nil and load("return ...")(5) == 5)
end)

part("memory", function()
  collectgarbage()
  local before, kept = collectgarbage("count"), {}
  for i = 1, 200 do kept[i] = ("x"):rep(10000) .. i end
  assert(collectgarbage("count") - before > 1900)
  kept = nil
  collectgarbage()
  assert(collectgarbage("count") - before < 100)
  collectgarbage("generational"); collectgarbage("incremental")
end)

part("time", function()
  assert(os.time({ year = 2024, month = 2, day = 29, hour = 12 }) == 1709208000)
  assert(os.date("!%Y-%m-%d %H:%M:%S", 86399) == "1970-01-01 23:59:59")
  assert(os.date("*t", os.time()).year >= 1970 and os.difftime(5, 3) == 2)
  local start = os.clock()
  for _ = 1, 100000 do end
  assert(os.clock() >= start and os.getenv("NO_SUCH_VARIABLE") == nil)
end)

if folder then
  part("files", function()
    local path, other = folder .. "/lines.txt", folder .. "/moved.txt"
    assert(io.open(folder .. "/none") == nil)
    local file = assert(io.open(path, "w"))
    for i = 1, 5000 do assert(file:write("line ", i, "\n")) end
    assert(file:close())
    local sum = 0
    for line in io.lines(path) do sum = sum + tonumber(line:match("%d+")) end
    assert(sum == 12502500)
    file = assert(io.open(path, "r+b"))
    assert(file:seek("end") == 48893 and file:seek("set", 5) == 5 and file:read("n") == 1)
    assert(file:seek("set", 0) == 0 and file:write("LINE") and file:seek("set", 0) and file:read("l") == "LINE 1")
    assert(file:read(0) == "" and #file:read("a") == 48893 - 7 and file:read(0) == nil and file:close())
    file = assert(io.open(path, "a"))
    assert(file:setvbuf("line") and file:write("last\n") and file:close())
    assert(os.rename(path, other) and not io.open(path))
    file = assert(io.open(other))
    assert(file:seek("end", -5) and file:read("l") == "last" and file:close())
    assert(os.remove(other))
    local good, message, code = os.remove(other)
    assert(not good and code == 2 and message:find("No such file", 1, true))
    local module = assert(io.open(folder .. "/module.lua", "w"))
    assert(module:write("local M = {} function M.twice(x) return 2 * x end return M") and module:close())
    package.path = folder .. "/?.lua"
    assert(require("module").twice(21) == 42 and dofile(folder .. "/module.lua").twice(2) == 4)
    assert(os.remove(folder .. "/module.lua"))
  end)
end
