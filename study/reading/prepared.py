"""Queries whose SQL is composed once.

Django composes a query's SQL anew at every call. That takes about a millisecond, ten times as long as running it, and
an answer with its next image needs half a dozen queries: it decides how many readers a small machine can serve. The
queries of that path alone are kept composed; they are still written with the ORM, and so run on every database that it
knows (docs/decisions/0006).
"""

import threading
from collections.abc import Callable, Iterator
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Model, QuerySet
from django.db.models.base import ModelState

_STANDING_FOR: dict[type, Callable[[int], Any]] = {
    int: lambda number: 2 * 10**9 + number,
    str: lambda number: f"\x01parameter {number}\x01",
}


class _PerThread:
    """What ``compose()`` gives for this thread's connection: asked once."""

    def __init__(self, compose: Callable[[], Any]) -> None:
        self._ask, self._composed = compose, threading.local()

    def __call__(self) -> Any:
        settings = _connection().settings_dict
        held = getattr(self._composed, "held", None)
        if held is None or held[0] is not settings:
            held = self._composed.held = (settings, self._ask())
        return held[1]


def _connection() -> Any:
    """This thread's connection itself: each look through ``django.db.connection`` costs a walk to the thread."""
    return connections[DEFAULT_DB_ALIAS]


def _cursor(connection: Any) -> Any:
    """A cursor of Django's. PostgreSQL is sent the parameters apart from the SQL, whose plan it may then keep.

    Where queries are logged it is the usual one: Django tells what such a cursor ran, and of the other it cannot.
    """
    if connection.vendor != "postgresql" or connection.queries_logged:
        return connection.cursor()
    from psycopg import Cursor

    connection.close_if_health_check_failed()
    connection.ensure_connection()
    return connection.make_cursor(Cursor(connection.connection))


class Prepared:
    """``Prepared(compose, int, str)(7, "name")`` runs ``compose(7, "name")``, a queryset of ``values_list``.

    ``compose`` is called once per thread, with stand-ins of the given types; it must not branch on their values, and a
    parameter must reach the SQL as it is. Rows come converted, as the queryset would give them.
    """

    def __init__(self, compose: Callable[..., QuerySet], *types: type):
        self.compose, self.types = compose, types
        self._held = _PerThread(self._compose)

    def _compose(self) -> tuple[str, list[tuple[bool, Any]], list[tuple[int, list, Any]]]:
        stand_ins = [_STANDING_FOR[type_](number) for number, type_ in enumerate(self.types)]
        compiler = self.compose(*stand_ins).query.get_compiler(connection=_connection())
        sql, parameters = compiler.as_sql()
        places = [(True, stand_ins.index(value)) if value in stand_ins else (False, value) for value in parameters]
        if {place for given, place in places if given} != set(range(len(stand_ins))):
            raise TypeError("a parameter of this query does not reach its SQL as it is")
        converters = compiler.get_converters([column for column, *_ in compiler.select])
        return sql, places, [(at, *converter) for at, converter in converters.items()]

    def sql(self) -> str:
        """The query with a place for each of the parameters that ``bound`` gives."""
        return self._held()[0]

    def bound(self, parameters: tuple) -> list:
        """The values for the places of ``sql``: the parameters, and the query's own constants."""
        return [parameters[place] if given else place for given, place in self._held()[1]]

    def __call__(self, *parameters: Any) -> list[list]:
        sql, _, converters = self._held()
        connection = _connection()
        with _cursor(connection) as cursor:
            cursor.execute(sql, self.bound(parameters))
            rows = [list(row) for row in cursor.fetchall()]
        for row in rows:
            for at, functions, expression in converters:
                value = row[at]
                for convert in functions:
                    value = convert(value, expression, connection)
                row[at] = value
        return rows


class Insert:
    """``Insert(Model, only_while=query)(row, *parameters)`` appends a new instance if the row of the query is there.

    That row and all that it was joined with stay as they are until the new one is stored: one statement looks, locks
    (shared: who appends does not wait for others who append) and appends. As ``bulk_create`` does, it calls no ``save``
    and no signal.

    Returns:
        Whether it was appended.

    Raises:
        IntegrityError: a constraint of the table is violated.
    """

    def __init__(self, model: type[Model], *, only_while: Prepared):
        self._held = _PerThread(self._compose)
        self.fields = [field for field in model._meta.concrete_fields if not field.primary_key]
        self.meta, self.only_while = model._meta, only_while

    def _compose(self) -> str:
        connection = _connection()
        quote = connection.ops.quote_name
        names = ", ".join(quote(field.column) for field in self.fields)
        returning, _ = connection.ops.return_insert_columns([self.meta.pk])
        table, values = quote(self.meta.db_table), ", ".join(["%s"] * len(self.fields))
        # The rows are joined, not looked for in a subquery: PostgreSQL looks again at those whose lock it waited for.
        lock = "FOR SHARE" if connection.features.has_select_for_update else ""
        held = f"({self.only_while.sql()} {lock}) AS held"
        return f"INSERT INTO {table} ({names}) SELECT {values} FROM {held} {returning}"

    def __call__(self, row: Model, *parameters: Any) -> bool:
        connection = _connection()
        values = [field.get_db_prep_save(field.pre_save(row, True), connection) for field in self.fields]
        with _cursor(connection) as cursor:
            cursor.execute(self._held(), values + self.only_while.bound(parameters))
            appended = cursor.fetchall()
        if not appended:
            return False
        row.pk = appended[0][0]
        row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS
        return True


class Columns:
    """Some of a model's columns: iterated, their names for ``values_list`` (behind ``prefix``); called, an instance.

    Columns that were left out are fetched when they are asked for.
    """

    def __init__(
        self, model: type[Model], *, only: tuple[str, ...] = (), without: tuple[str, ...] = (), prefix: str = ""
    ):
        names = [field.attname for field in model._meta.concrete_fields]
        if unknown := {*only, *without} - set(names):
            raise TypeError(f"{model.__name__} has no column {', '.join(sorted(unknown))}")
        self.model, self.prefix = model, prefix
        self.names = [name for name in names if name not in without and (not only or name in only)]
        self._plain = model.from_db.__func__ is Model.from_db.__func__

    def __iter__(self) -> Iterator[str]:
        return iter([self.prefix + name for name in self.names])

    def __len__(self) -> int:
        return len(self.names)

    def __call__(self, values: list) -> Any:
        if not self._plain:
            return self.model.from_db(DEFAULT_DB_ALIAS, self.names, values)
        # As unpickling makes an instance: without a walk through all fields and the signals of `__init__`.
        row = self.model.__new__(self.model)
        row.__dict__.update(zip(self.names, values))
        state = row._state = ModelState()
        state.adding, state.db = False, DEFAULT_DB_ALIAS
        return row
