"""Optional packages: what needs them, and how to get them. No page imports one to find out whether it is there."""

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from core.errors import InvalidInput


@dataclass(frozen=True)
class Extra:
    """``modules`` are what is imported; ``missing`` says what needs them and how to get them."""

    modules: tuple[str, ...]
    missing: str

    @property
    def installed(self) -> bool:
        return all(map(find_spec, self.modules))

    def load(self, field: str = "") -> list[ModuleType]:
        """The modules, imported; InvalidInput where one of them cannot be."""
        try:
            return [import_module(module) for module in self.modules]
        except ImportError as error:
            raise InvalidInput(self.missing, field=field) from error


_HOW = "pip install -r requirements-{}.txt"
CVVDP = Extra(("pycvvdp",), f"Predictions of what is seen need the package cvvdp: {_HOW.format('sight')}")
ONNX = Extra(("onnx", "onnx2torch"), f"ONNX needs the packages onnx and onnx2torch: {_HOW.format('formats')}")
TIMM = Extra(("timm",), f"Networks of timm need the package timm: {_HOW.format('formats')}")
