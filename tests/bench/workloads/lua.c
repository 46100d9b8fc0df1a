/* Lua: a script with calls, tables, strings, closures, sorting and metatables. */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "workloads.h"

static const char script[] =
    "local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end\n"
    "local sum = fib(14)\n"
    "local numbers, seed = {}, 42\n"
    "for i = 1, 500 do seed = (seed * 1103515245 + 12345) % 2147483648; numbers[i] = seed end\n"
    "table.sort(numbers)\n"
    "for i = 1, #numbers, 10 do sum = (sum * 31 + numbers[i]) % 1000000007 end\n"
    "local words = {}\n"
    "for word in ('a window is a proof of the bounds of a pointer '):rep(10):gmatch('%a+') do\n"
    "  words[word] = (words[word] or 0) + #word\n"
    "end\n"
    "for _, count in pairs(words) do sum = sum + count end\n"
    "local Point = {}\n"
    "Point.__index = Point\n"
    "Point.__add = function(a, b) return setmetatable({ x = a.x + b.x, y = a.y + b.y }, Point) "
    "end\n"
    "function Point:norm() return self.x * self.x + self.y * self.y end\n"
    "local at = setmetatable({ x = 0, y = 0 }, Point)\n"
    "for i = 1, 600 do at = at + setmetatable({ x = i % 7, y = i % 5 }, Point) end\n"
    "local parts = {}\n"
    "for i = 1, 150 do parts[#parts + 1] = string.format('%d:%s', i, i % 2 == 0 and 'even' or "
    "'odd') end\n"
    "local text = table.concat(parts, ','):upper():gsub('ODD', 'o')\n"
    "local sieve, primes = {}, 0\n"
    "for i = 2, 1000 do\n"
    "  if not sieve[i] then primes = primes + 1; for j = i * i, 1000, i do sieve[j] = true end "
    "end\n"
    "end\n"
    "return (sum + at:norm() + #text + primes) // 1\n";

uint64_t library_lua(void)
{
    lua_State *lua = luaL_newstate();

    require(lua != NULL, "luaL_newstate");
    luaL_requiref(lua, "_G", luaopen_base, 1);
    luaL_requiref(lua, LUA_TABLIBNAME, luaopen_table, 1);
    luaL_requiref(lua, LUA_STRLIBNAME, luaopen_string, 1);
    require(luaL_dostring(lua, script) == LUA_OK, "the Lua script");
    uint64_t result = (uint64_t)lua_tointeger(lua, -1);
    lua_close(lua);
    return result;
}
