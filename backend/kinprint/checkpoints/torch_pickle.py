"""Reads the pickle inside a torch archive without running it.

A small stack machine for the few opcodes that ``torch.save`` writes for a state dict. Nothing is
imported and nothing is called: a name is looked up in a fixed table of stand-ins, and the only
"calls" are the tensor rebuilds, which here return a description. (Python's own unpickler is not
used: tuples as keys, huge memo indices and nested references make it hang or swell without any
import; `torch.load(weights_only=True)` interprets the opcodes itself for like reasons.)
"""

from __future__ import annotations

import pickletools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from kinprint.checkpoints import limits
from kinprint.errors import LimitExceededError, MalformedHeaderError, UnsafePickleError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

OPCODES = 1_000_000
"""About 25,000 tensors in one file; bounds time and the objects built."""

UNTYPED = "untyped"

# torch dtype → (safetensors dtype, bytes of an element); x2 holds two elements in a byte.
DTYPES: Mapping[str, tuple[str, int]] = {
    "float64": ("F64", 8),
    "float32": ("F32", 4),
    "float16": ("F16", 2),
    "bfloat16": ("BF16", 2),
    "float8_e4m3fn": ("F8_E4M3", 1),
    "float8_e4m3fnuz": ("F8_E4M3FNUZ", 1),
    "float8_e5m2": ("F8_E5M2", 1),
    "float8_e5m2fnuz": ("F8_E5M2FNUZ", 1),
    "float8_e8m0fnu": ("F8_E8M0", 1),
    "float4_e2m1fn_x2": ("F4x2", 1),
    "int64": ("I64", 8),
    "int32": ("I32", 4),
    "int16": ("I16", 2),
    "int8": ("I8", 1),
    "uint64": ("U64", 8),
    "uint32": ("U32", 4),
    "uint16": ("U16", 2),
    "uint8": ("U8", 1),
    "bool": ("BOOL", 1),
    "complex64": ("C64", 8),
    "complex128": ("C128", 16),
}
_STORAGES: Mapping[str, str] = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "ComplexFloatStorage": "complex64",
    "ComplexDoubleStorage": "complex128",
}


@dataclass(frozen=True, slots=True)
class StorageRef:
    """A storage of the archive: torch dtype (or `UNTYPED`, counted in bytes), key, elements."""

    dtype: str
    key: str
    elements: int


@dataclass(frozen=True, slots=True)
class TensorRef:
    """A tensor as its rebuild declares it; offset and strides in elements of its dtype."""

    storage: StorageRef
    dtype: str
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Name:
    """Stands for an importable object; it can be passed about, and rebuilt from, never run."""

    path: str


def read_pickle(raw: bytes, file: str) -> object:
    """Return what the pickle describes, built of dicts, lists, tuples, scalars and `TensorRef`.

    Args:
        raw: The whole pickle.
        file: Path of its archive, for errors.

    Raises:
        UnsafePickleError: It names an object or uses an opcode that no state dict needs; the
            message says which.
        MalformedHeaderError: It is truncated, or its opcodes do not fit together.
        LimitExceededError: It is over ``limits.PICKLE_BYTES`` or `OPCODES`.
    """
    if len(raw) > limits.PICKLE_BYTES:
        raise LimitExceededError(f"a pickle of {len(raw):,} bytes", file=file)
    machine = _Machine(file)
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(raw)):
            if count >= OPCODES:
                raise LimitExceededError(f"a pickle of more than {OPCODES:,} steps", file=file)
            machine.step(opcode.name, argument)
        return machine.result()
    except (ValueError, IndexError, KeyError) as error:
        raise MalformedHeaderError(f"the pickle is malformed: {error}", file=file) from None


class _Machine:
    """Stack, marks and memo of one pickle."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}
        self._steps: Mapping[str, Callable[[Any], None]] = {
            **dict.fromkeys(_PUSHES, self._stack.append),
            **dict.fromkeys(("PROTO", "FRAME", "STOP"), self._ignore),
            "NONE": lambda _: self._stack.append(None),
            "NEWTRUE": lambda _: self._stack.append(True),
            "NEWFALSE": lambda _: self._stack.append(False),
            "EMPTY_DICT": lambda _: self._stack.append({}),
            "EMPTY_LIST": lambda _: self._stack.append([]),
            "EMPTY_TUPLE": lambda _: self._stack.append(()),
            "TUPLE1": lambda _: self._stack.append(tuple(self._take(1))),
            "TUPLE2": lambda _: self._stack.append(tuple(self._take(2))),
            "TUPLE3": lambda _: self._stack.append(tuple(self._take(3))),
            "MARK": lambda _: self._marks.append(len(self._stack)),
            "TUPLE": lambda _: self._stack.append(tuple(self._take_to_mark())),
            "LIST": lambda _: self._stack.append(self._take_to_mark()),
            "BINPUT": self._put,
            "LONG_BINPUT": self._put,
            "MEMOIZE": lambda _: self._put(len(self._memo)),
            "BINGET": lambda index: self._stack.append(self._memo[index]),
            "LONG_BINGET": lambda index: self._stack.append(self._memo[index]),
            "APPEND": lambda _: self._append(self._take(1)),
            "APPENDS": lambda _: self._append(self._take_to_mark()),
            "SETITEM": lambda _: self._set_items(self._take(2)),
            "SETITEMS": lambda _: self._set_items(self._take_to_mark()),
            "GLOBAL": self._global,
            "STACK_GLOBAL": self._stack_global,
            "BINPERSID": self._storage,
            "REDUCE": self._reduce,
            "BUILD": self._build,
        }

    def step(self, opcode: str, argument: Any) -> None:
        """Apply one opcode."""
        apply = self._steps.get(opcode)
        if apply is None:
            raise UnsafePickleError(f"the pickle uses opcode {opcode}", file=self._file)
        apply(argument)

    def result(self) -> object:
        """Return the one object that is left on the stack."""
        if len(self._stack) != 1 or self._marks:
            raise ValueError("the stack does not hold one object at the end")
        return self._stack[0]

    def _ignore(self, _: object) -> None:
        """Do nothing: framing says nothing about the content."""

    def _take(self, count: int) -> list[Any]:
        """Pop the last objects, none from before the last mark."""
        start = len(self._stack) - count
        if start < (self._marks[-1] if self._marks else 0):
            raise ValueError("the stack is empty")
        taken = self._stack[start:]
        del self._stack[start:]
        return taken

    def _take_to_mark(self) -> list[Any]:
        start = self._marks.pop()
        taken = self._stack[start:]
        del self._stack[start:]
        return taken

    def _top(self) -> Any:
        (top,) = self._take(1)
        self._stack.append(top)
        return top

    def _put(self, index: int) -> None:
        self._memo[index] = self._top()

    def _append(self, items: list[Any]) -> None:
        target = self._top()
        if not isinstance(target, list):
            raise ValueError(f"APPEND to {type(target).__name__}")
        target.extend(items)

    def _set_items(self, items: list[Any]) -> None:
        target = self._top()
        if not isinstance(target, dict) or len(items) % 2:
            raise ValueError(f"SETITEM on {type(target).__name__}")
        for key, value in zip(items[::2], items[1::2], strict=True):
            # Tuples as keys could take exponential time to hash.
            if type(key) not in (str, int):
                raise ValueError(f"a key of type {type(key).__name__}")
            target[key] = value

    def _global(self, spaced: str) -> None:
        module, _, name = spaced.partition(" ")
        self._stack.append(self._known(module, name))

    def _stack_global(self, _: object) -> None:
        module, name = self._take(2)
        if not isinstance(module, str) or not isinstance(name, str):
            raise ValueError("STACK_GLOBAL without names")
        self._stack.append(self._known(module, name))

    def _known(self, module: str, name: str) -> _Name:
        path = f"{module}.{name}"
        torch_name = name if module == "torch" else ""
        if not (torch_name in DTYPES or torch_name in _STORAGES or path in _OTHER_NAMES):
            self._refuse(f"names {path[:200]}")
        return _Name(path)

    def _refuse(self, what: str) -> NoReturn:
        raise UnsafePickleError(f"the pickle {what}", file=self._file)

    def _storage(self, _: object) -> None:
        (reference,) = self._take(1)
        match reference:
            case ("storage", _Name(path), str(key), str(), int(elements)) if elements >= 0:
                self._stack.append(StorageRef(_storage_dtype(path), key, elements))
            case _:
                raise ValueError("a persistent id that is not a storage")

    def _reduce(self, _: object) -> None:
        function, arguments = self._take(2)
        if not isinstance(function, _Name) or not isinstance(arguments, tuple):
            raise ValueError("REDUCE of something that is not a name")
        match function.path, arguments:
            case "collections.OrderedDict", ():
                self._stack.append({})
            case "torch.Size", (tuple(size),):
                self._stack.append(size)
            case "torch._utils._rebuild_parameter", (TensorRef() as tensor, _, _):
                self._stack.append(tensor)
            case path, _ if path in _REBUILDS:
                self._stack.append(_rebuilt(path, arguments))
            case path, _:
                self._refuse(f"calls {path} in a way that no state dict needs")

    def _build(self, _: object) -> None:
        target, _state = self._take(2)
        # torch puts `_metadata` on the OrderedDict of a state dict; it describes no weights.
        if not isinstance(target, dict):
            self._refuse("sets the state of an object that is not a dict")
        self._stack.append(target)


_PUSHES = (
    "BININT",
    "BININT1",
    "BININT2",
    "LONG1",
    "BINFLOAT",
    "BINUNICODE",
    "SHORT_BINUNICODE",
    "BINBYTES",
    "SHORT_BINBYTES",
)
_REBUILDS = frozenset(f"torch._utils._rebuild_tensor{version}" for version in ("", "_v2", "_v3"))
_OTHER_NAMES = _REBUILDS | {
    "collections.OrderedDict",
    "torch.Size",
    "torch._utils._rebuild_parameter",
    "torch.storage.UntypedStorage",
}


def _storage_dtype(path: str) -> str:
    if path == "torch.storage.UntypedStorage":
        return UNTYPED
    dtype = _STORAGES.get(path.removeprefix("torch."))
    if dtype is None:
        raise ValueError(f"{path} is not a storage")
    return dtype


def _rebuilt(path: str, arguments: tuple[Any, ...]) -> TensorRef:
    """Describe the tensor that a rebuild would make: (storage, offset, size, stride, …)."""
    if len(arguments) < 4 or not isinstance(arguments[0], StorageRef):
        raise ValueError(f"{path} without a storage")
    storage, offset, shape, strides = arguments[:4]
    dtype = storage.dtype
    if path.endswith("_v3"):
        named = arguments[6] if len(arguments) > 6 else None
        dtype = named.path.removeprefix("torch.") if isinstance(named, _Name) else ""
    if dtype not in DTYPES:
        raise ValueError(f"{path} without a dtype")
    if not (_are_ints((offset,)) and _are_ints(shape) and _are_ints(strides)):
        raise ValueError(f"{path} with a size that is not a tuple of numbers")
    return TensorRef(storage, dtype, offset, shape, strides)


def _are_ints(value: object) -> bool:
    return isinstance(value, tuple) and all(type(item) is int for item in value)
