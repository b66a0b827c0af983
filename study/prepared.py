"""Queries whose SQL is composed once.

Django composes a query's SQL anew at every call. That takes about a millisecond, ten times as long as running it, and
an answer with its next image needs a dozen queries: it decides how many readers a small machine can serve. The queries
of that path alone are kept composed; they are still written with the ORM, and so run on every database that it knows.
"""

import threading
from collections.abc import Callable
from typing import Any

from django.db import connection
from django.db.models import Model, QuerySet

_STANDING_FOR: dict[type, Callable[[int], Any]] = {
    int: lambda number: 2 * 10**9 + number,
    str: lambda number: f"\x01parameter {number}\x01",
}


class Prepared:
    """``Prepared(compose, int, str)(7, "name")`` runs ``compose(7, "name")``, a queryset of ``values_list``.

    ``compose`` is called once per thread, with stand-ins of the given types; it must not branch on their values, and a
    parameter must reach the SQL as it is. Rows come converted, as the queryset would give them.
    """

    def __init__(self, compose: Callable[..., QuerySet], *types: type):
        self.compose, self.types = compose, types
        self.composed = threading.local()

    def _prepare(self) -> tuple[Any, dict, str, list[tuple[bool, Any]]]:
        held = getattr(self.composed, "held", None)
        if held is not None and held[0] is connection.settings_dict:
            return held[1]
        stand_ins = [_STANDING_FOR[type_](number) for number, type_ in enumerate(self.types)]
        compiler = self.compose(*stand_ins).query.get_compiler(connection=connection)
        sql, parameters = compiler.as_sql()
        places = [(True, stand_ins.index(value)) if value in stand_ins else (False, value) for value in parameters]
        if {place for given, place in places if given} != set(range(len(stand_ins))):
            raise TypeError("a parameter of this query does not reach its SQL as it is")
        converters = compiler.get_converters([column for column, *_ in compiler.select])
        self.composed.held = (connection.settings_dict, (compiler, converters, sql, places))
        return self.composed.held[1]

    def __call__(self, *parameters: Any) -> list[tuple]:
        compiler, converters, sql, places = self._prepare()
        with connection.cursor() as cursor:
            cursor.execute(sql, [parameters[place] if given else place for given, place in places])
            return [tuple(row) for row in compiler.apply_converters(cursor.fetchall(), converters)]


def columns(model: type[Model], *, without: tuple[str, ...] = (), prefix: str = "") -> list[str]:
    """The model's columns, as ``values_list`` names them behind ``prefix``."""
    return [prefix + field.attname for field in model._meta.concrete_fields if field.attname not in without]


def instance(model: type[Model], names: list[str], values: tuple, prefix: str = "") -> Any:
    """A row of ``columns(...)`` as an instance; columns that are not there are fetched when they are asked for."""
    return model.from_db("default", [name.removeprefix(prefix) for name in names], values)
