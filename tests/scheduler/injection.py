"""Errors in the midst of verbs: while a test does its work, its verbs fall first, at every call.

Before a verb does what it was asked to, it is run once for each of its calls of the server, and falls there; the
whole database must be as it was before. Which places of a verb write is found in its text, so that none is forgotten.
"""

import itertools
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from scheduler.state.commands import Word
from scheduler.state.connection import StoreBug
from scheduler.state.keys import PREFIX
from scheduler.state.scripts import Scripts, link, load_verbs, wrap_verb

Site = str  # a verb, or a definition of a prelude, and which of the places at which it writes: `settle:2`
WAY_TO_WRITE = "_prelude_write.lua"
SITE = re.compile(r"\b(write|add)\(")
FALLS = """
local calls, sites = 0, {}
local function site_of(number, does)
  sites[#sites + 1] = number
  return does
end
local redis = {call = function(...)
  calls = calls + 1
  if calls == tonumber(KEYS[1]) then error('injected') end
  return redis.call(...)
end}
"""
AT_ITS_END = """function()
  verb()
  calls = 1e9
  if #sites > 0 then sites[#sites + 1] = 'anywhere' end
  error('it wrote at:' .. table.concat(sites, ' '))
end"""
DIGEST = """
local found, keys = {}, redis.call('KEYS', '*')
table.sort(keys)
local READ = {
  string = function(key) return {redis.call('GET', key)} end,
  list = function(key) return redis.call('LRANGE', key, 0, -1) end,
  zset = function(key) return redis.call('ZRANGE', key, 0, -1, 'WITHSCORES') end,
  set = function(key) local all = redis.call('SMEMBERS', key); table.sort(all); return all end,
  hash = function(key)
    local all, pairs_ = redis.call('HGETALL', key), {}
    for i = 1, #all, 2 do pairs_[#pairs_ + 1] = all[i] .. '=' .. all[i + 1] end
    table.sort(pairs_)
    return pairs_
  end,
  stream = function(key)
    local last = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 4)
    return {tostring(redis.call('XLEN', key)), cjson.encode(last)}
  end,
}
for _, key in ipairs(keys) do
  local kind = redis.call('TYPE', key).ok
  local text = table.concat(READ[kind](key), '|') .. (redis.call('PTTL', key) > 0 and 'expires' or '')
  if not (kind == 'stream' and redis.call('XLEN', key) == 0) then found[#found + 1] = key .. ':' .. text end
end
return ARGV[1] == 'whole' and found or redis.sha1hex(table.concat(found, '\\n'))
"""


class Injector:
    """Has verbs fall before they are done. `sites`: where verbs write; `tried`: where one has fallen behind that."""

    def __init__(self) -> None:
        self.sites: set[Site] = set()
        self.tried: set[Site] = set()
        self._texts = {name: self._falling(name) for name in load_verbs()}
        self._client: Any = None
        self._scripts: dict[str, Any] = {}

    def before(self, scripts: Scripts, verb: str, arguments: Sequence[Word]) -> None:
        """What a verb is about to do: let it fall at its end; and where it wrote at a place that is new, everywhere."""
        if scripts._client is not self._client:
            self._client = scripts._client
            self._scripts = {name: self._client.register_script(text) for name, text in self._texts.items()}
            self._digest = self._client.register_script(DIGEST)
        words = [PREFIX, scripts.make_time_argument(), *arguments]
        _, _, wrote = self._fall(verb, 0, words).partition("it wrote at:")
        sites = {f"{verb}:anywhere" if site == "anywhere" else site for site in wrote.split()}
        if sites - self.tried:
            self._fall_everywhere(verb, words)
            self.tried |= sites

    def _fall_everywhere(self, verb: str, words: Sequence[Word]) -> None:
        before, whole, step = self._digest(), set(self._digest(args=["whole"])), 1
        while "injected" in self._fall(verb, step, words):
            if self._digest() != before:
                now = set(self._digest(args=["whole"]))
                raise AssertionError(f"{verb} fell at its call {step}, and left {sorted(whole ^ now)}")
            step += 1

    def _fall(self, verb: str, step: int, words: Sequence[Word]) -> str:
        """Why it fell at that call, or where it wrote if there was no such call."""
        with pytest.raises(StoreBug) as fell:
            self._scripts[verb](keys=[step], args=words)
        assert fell.value.verb == verb
        return fell.value.message

    def _falling(self, name: str) -> str:
        """The verb, which falls at the call that KEYS[1] names, or at its end."""
        body = load_verbs()[name]
        parts = [
            text if file in ("", WAY_TO_WRITE) else self._mark(min(names), text)
            for file, text, names, _ in link(wrap_verb(name, body))
        ]
        self.sites.add(f"{name}:anywhere")
        verb = wrap_verb(name, self._mark(name, body)).replace("', verb)", f"', {AT_ITS_END})")
        return FALLS + "\n".join([*parts, verb])

    def _mark(self, name: str, text: str) -> str:
        """The text, which notes where it writes: at the n-th place of this name."""
        places = itertools.count(1)

        def site(match: re.Match[str]) -> str:
            place = f"{name}:{next(places)}"
            self.sites.add(place)
            return f"site_of('{place}', {match[1]})("

        return SITE.sub(site, text)


def pytest_configure(config: pytest.Config) -> None:
    """As a plugin of a run of its own: every verb that the tests do falls first; what was tried is written down."""
    injector, run, run_many = Injector(), Scripts.run, Scripts.run_many

    def falling(scripts: Scripts, verb: str, *arguments: Word) -> Any:
        if scripts._clock is not None:  # else somebody else may write at the same time
            injector.before(scripts, verb, arguments)
        return run(scripts, verb, *arguments)

    def falling_many(scripts: Scripts, verb: str, calls: Sequence[Sequence[Word]]) -> list[Any]:
        for arguments in calls:
            injector.before(scripts, verb, arguments)
        return run_many(scripts, verb, calls)

    patch = pytest.MonkeyPatch()
    patch.setattr(Scripts, "run", falling)
    patch.setattr(Scripts, "run_many", falling_many)
    config.stash[INJECTOR] = injector


def pytest_unconfigure(config: pytest.Config) -> None:
    injector = config.stash[INJECTOR]
    report = {"sites": sorted(injector.sites), "tried": sorted(injector.tried)}
    Path(os.environ["INJECTED"]).write_text(json.dumps(report))


INJECTOR = pytest.StashKey[Injector]()
