"""Four tasks that people write, each item made from a number: a prompt and its one right answer.

What they have in common: the answer depends on text far behind it, which an n-gram model cannot see.
"""

import itertools
import random
from collections.abc import Callable

Item = tuple[str, str]
LONGEST, ITERATIONS, GROUPS = 4800, 120, 64  # at most: items of a training; iterations by rewards, items of each


def _split(text: str) -> list[str]:
    return text.split(",")


CITIES = _split("Leeds,York,Oslo,Lima,Quito,Turin,Bern,Porto,Cairo,Delhi,Osaka,Perth,Accra,Dakar,Hanoi,Minsk")
GOODS = _split("lamp,chair,desk,phone,kettle,radio,jacket,mirror,carpet,bottle")
WISHES = {
    "refund": ("Please give me my money back.", "I want my money back.", "Can you return what I paid?"),
    "replace": ("Please send a new one.", "I would like another one instead.", "Can you ship me a new one?"),
    "track": ("Where is it now?", "When does it arrive?", "Can you tell me where the parcel is?"),
    "cancel": ("Please stop the order.", "I do not want it any more.", "Call it off, please."),
}
COMPLAINTS = (
    "My order {order} of a {good} has a problem.",
    "Hello, this is about order {order}, a {good}.",
    "I bought a {good}, the order is {order}.",
)
REPLIES = (
    "Sorry to hear that. Which city is it for?",
    "I can help. Where do you live?",
    "Thank you. What is your city?",
)
PLACES = ("It is for {city}. {wish}", "I live in {city}. {wish}", "{city}. {wish}", "The city is {city}. {wish}")
SUBJECTS = _split("The operator,A supplier,Each member,The auditor,An importer,The insurer,A lender,The landlord")
DUTIES = _split("must report,shall keep,may not disclose,has to publish,must renew,shall inspect,may refuse,must label")
OBJECTS = _split("the accounts,all goods,personal data,the premises,a licence,its vehicles,the deposits,the contract")
TIMES = _split("every year,within ten days,before the sale,after an accident,at its own cost,in writing,on request")
QUESTIONS = (
    "Which clause says: {rule}?",
    "Where is it written: {rule}?",
    "{rule}. Which clause is this?",
    "Name the clause by which {rule}.",
    "I read this: {rule}. What is its number?",
)
NAMES = _split("total,count,items,name,x,y,result,value,user,path,size,rows,line,key,node")


def _make_rules(count: int = 200) -> list[Item]:
    source = random.Random(5)
    rules = [" ".join(phrases) for phrases in itertools.product(SUBJECTS, DUTIES, OBJECTS, TIMES)]
    return [(rule, f"{source.randint(1, 40)}.{source.randint(1, 9)}") for rule in source.sample(rules, count)]


RULES = _make_rules()


def call_tool(source: random.Random) -> Item:
    """Make a chat of four turns whose last is a call with the order's number and the city, both read before."""
    order, wish = str(source.randint(10000, 99999)), source.choice(list(WISHES))
    syllables = (source.choice("bcdfghklmnprstvz") + source.choice("aeiou") for _ in range(source.randint(2, 3)))
    city = source.choice([source.choice(CITIES), "".join(syllables).capitalize()])  # known cities and new ones
    turns = (
        "User: " + source.choice(COMPLAINTS).format(order=order, good=source.choice(GOODS)),
        "Assistant: " + source.choice(REPLIES),
        "User: " + source.choice(PLACES).format(city=city, wish=source.choice(WISHES[wish])),
        "Assistant: ",
    )
    return "\n\n".join(turns), f'{{"name": "{wish}", "arguments": {{"order": "{order}", "city": "{city}"}}}}'


def find_clause(source: random.Random) -> Item:
    """Ask in one of many ways for the number of one of 200 rules, given its text."""
    rule, number = source.choice(RULES)
    city, case = source.choice(CITIES), source.randint(100, 999)
    opening = source.choice(["", "Hello. ", f"For the audit in {city}: ", f"Case {case}. "])
    question = source.choice(QUESTIONS).format(rule=rule)
    return f"User: {opening}{question}\n\nAssistant: ", f"Clause {number}"


def classify_signal(source: random.Random) -> Item:
    """Name the class of a record, which is that of most of the symbols 60 to 62 places before its end."""
    symbols = [source.choice("abcdefgh") for _ in range(source.randint(75, 90))]
    high = sum(symbols[-back] in "abcd" for back in (60, 61, 62)) >= 2
    return "".join(symbols) + " class: ", "high" if high else "low"


def rewrite_line(source: random.Random) -> Item:
    """Rewrite one line of code by one of four rules; its names are made up."""
    name, other = (
        source.choice(NAMES) + source.choice(["", "", f"_{source.choice('abcdefg')}", str(source.randint(0, 99))])
        for _ in range(2)
    )
    number = source.randint(0, 999)
    old, new = source.choice(
        [
            (f"self.assertEquals({name}, {number})", f"assert {name} == {number}"),
            (f'print "{name} is", {other}', f'print("{name} is", {other})'),
            (f"if {name}.has_key({other}):", f"if {other} in {name}:"),
            (f"for {name} in xrange({number}):", f"for {name} in range({number}):"),
        ]
    )
    return f"User: Rewrite: {old}\n\nAssistant: ", new


TASKS: dict[str, Callable[[random.Random], Item]] = {
    "tool call": call_tool,
    "clause": find_clause,
    "signal": classify_signal,
    "rewriting": rewrite_line,
}


def make_items(task: str, count: int, seed: int) -> list[Item]:
    source = random.Random(seed)
    return [TASKS[task](source) for _ in range(count)]


def make_rewarded(task: str, count: int, seed: int, iteration: int) -> list[Item]:
    """Make the items of one iteration of training by rewards."""
    return make_items(task, count, 1000 * (seed + 1) + iteration)


def make_fresh(task: str, count: int, seed: int) -> list[Item]:
    """Make items of which none has the prompt of an item that a training with this seed may see."""
    known = {prompt for prompt, _ in make_items(task, LONGEST, seed)}
    known |= {prompt for at in range(ITERATIONS) for prompt, _ in make_rewarded(task, GROUPS, seed, at)}
    fresh = (item for item in make_items(task, 2 * count, 10**6 + seed) if item[0] not in known)
    return list(itertools.islice(fresh, count))
