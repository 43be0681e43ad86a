"""How the code is built: modules to pass, floors, arrows, widest function, longest module, lines.

python -m benchmarks.structure
python -m benchmarks.structure --root ../an-older-checkout --json

Reads the sources and imports nothing of them, so any checkout can be measured. An arrow is a module of `pruning` that
uses a name defined in another one, be it imported at the top or inside a function, directly or through a package's
`__init__`; imports for type checking alone do not count, for nothing runs by them. Floors are the modules on the
longest chain of arrows. `modules from run to shrink` are those on the shortest chain from the module with the command
`run` to the one that defines `shrink`, both included: a reader who never opens a needless file. `modules between` are
all that lie on any such chain. Rooms are the packages and the modules beside them. Parameters include `self`; lines are
all lines of a file. Lines of program are those of pruning, slimviz and app.py.
"""

from __future__ import annotations

import argparse
import ast
import json
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ("pruning", "slimviz", "app.py")
ENTRANCES = ("pruning.cli.run", "pruning.cli.main", "pruning.command_line")  # the first that is there has `run`
Graph = dict[str, set[str]]


def modules_of(root: Path, package: str) -> dict[str, ast.Module]:
    """Dotted name -> syntax tree of every module; a package's `__init__` goes by the package's name."""
    modules = {}
    for path in sorted((root / package).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        modules[name] = ast.parse(path.read_text(encoding="utf-8"))
    return modules


def imported_names(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Pairs (module, name) of every import; the name is empty where the module itself is meant."""
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)


def definer(modules: dict[str, ast.Module], module: str, name: str) -> str:
    """The module that an imported name comes from, looked up through the faces of packages."""
    if f"{module}.{name}" in modules:
        return f"{module}.{name}"
    nested = [other for other in modules if other.startswith(f"{module}.")]
    if nested:
        for source, offered in imported_names(modules[module]):
            if offered == name and source in modules:
                return definer(modules, source, name)
    return module


def import_graph(modules: dict[str, ast.Module]) -> Graph:
    """Module -> the modules whose names it uses, without the packages' faces."""
    used = {
        name: {definer(modules, *pair) for pair in imported_names(tree) if pair[0] in modules} - {name}
        for name, tree in modules.items()
    }
    faces = {name for name in modules if any(other.startswith(f"{name}.") for other in modules)}
    return {name: others - faces for name, others in used.items() if name not in faces}


def rooms(graph: Graph) -> Graph:
    """The same between rooms: the packages, and the modules beside them."""
    found: Graph = {}
    for module, others in graph.items():
        found.setdefault(_room(module), set()).update(_room(other) for other in others)
    return {room: others - {room} for room, others in found.items()}


def _room(module: str) -> str:
    return ".".join(module.split(".")[:2])


def shortest_chain(graph: Graph, start: str, end: str) -> list[str]:
    """Modules from `start` to `end`, both included; empty where no arrow leads there."""
    chains, seen = deque([[start]]), {start}
    while chains:
        chain = chains.popleft()
        if chain[-1] == end:
            return chain
        following = sorted(graph[chain[-1]] - seen)
        seen.update(following)
        chains.extend([*chain, module] for module in following)
    return []


def longest_chain(graph: Graph) -> list[str]:
    """The longest chain of arrows, top first.

    Raises:
        ValueError: the arrows go in a circle.
    """
    found: dict[str, list[str]] = {}

    def below(module: str, above: tuple[str, ...]) -> list[str]:
        if module in above:
            raise ValueError(f"imports go in a circle: {' > '.join((*above, module))}")
        if module not in found:
            chains = [below(used, (*above, module)) for used in sorted(graph[module])]
            found[module] = [module, *max(chains, key=len, default=[])]
        return found[module]

    return max((below(module, ()) for module in sorted(graph)), key=len)


def reached(graph: Graph, start: str) -> set[str]:
    """All modules that arrows lead to, the first included."""
    seen, waiting = {start}, [start]
    while waiting:
        new = graph[waiting.pop()] - seen
        seen |= new
        waiting.extend(new)
    return seen


def functions(modules: dict[str, ast.Module]) -> Iterator[tuple[int, str]]:
    """Number of parameters and place of every function."""
    for name, tree in modules.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                given = node.args
                stars = (given.vararg is not None) + (given.kwarg is not None)
                count = len(given.posonlyargs) + len(given.args) + len(given.kwonlyargs) + stars
                yield count, f"{name}.{node.name}"


def lines(root: Path, *places: str) -> dict[str, int]:
    """Lines of every Python file in these places."""
    files = [path for place in places for path in ((root / place).rglob("*.py"), [root / place])[place.endswith(".py")]]
    return {str(path.relative_to(root)): len(path.read_text(encoding="utf-8").splitlines()) for path in sorted(files)}


def _height(graph: Graph) -> tuple[int | None, str]:
    try:
        chain = longest_chain(graph)
    except ValueError as circle:
        return None, str(circle)
    return len(chain), " > ".join(chain)


def measure(root: Path) -> dict[str, Any]:
    """All figures of one checkout."""
    pruning = modules_of(root, "pruning")
    graph = import_graph(pruning)
    entrance = next(name for name in ENTRANCES if name in graph)
    (shrink,) = [name for name in graph if name.split(".")[-1] == "shrink"]
    chain = shortest_chain(graph, entrance, shrink)
    widest = max(functions(pruning | modules_of(root, "slimviz")))
    program, tests = lines(root, *PROGRAM), lines(root, "tests")
    longest = max(program, key=lambda path: program[path])
    return {
        "modules from run to shrink": (len(chain), " > ".join(chain)),
        "modules between": len([name for name in reached(graph, entrance) if shrink in reached(graph, name)]),
        "modules": len(graph),
        "floors": _height(graph),
        "arrows": sum(map(len, graph.values())),
        "rooms": len(rooms(graph)),
        "floors of rooms": _height(rooms(graph)),
        "arrows between rooms": sum(map(len, rooms(graph).values())),
        "widest function": widest,
        "longest module": (program[longest], longest),
        "lines of program": sum(program.values()),
        "lines of tests": sum(tests.values()),
        "lines of benchmarks": sum(lines(root, "benchmarks").values()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="How the code is built, in numbers.")
    parser.add_argument("--root", type=Path, default=ROOT, help="a checkout (default: this one)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    report = measure(options.root.resolve())
    if options.json:
        print(json.dumps(report, indent=2))
        return
    for name, value in report.items():
        number, where = value if isinstance(value, tuple) else (value, "")
        figure = "none" if number is None else f"{number:,}"
        print(f"{name:<28}{figure:>7}  {where.replace('pruning.', '')}".rstrip())


if __name__ == "__main__":
    main()
