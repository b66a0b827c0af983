"""Kinds of job for the tests: work in chunks whose results are files, written once by key, as real work's are."""

import hashlib
import time

import numpy as np
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from core.errors import InvalidInput
from jobs.registry import job


def chunk_bytes(seed: int, chunk: int) -> bytes:
    """What chunk number ``chunk`` of the work under ``seed`` makes: the same bytes in every worker."""
    return np.random.default_rng([seed, chunk]).bytes(4096)


@job("test-chunks", title="Chunks", unit="chunks", divisible=True)
def chunks(context, *, folder: str, count: int, seconds: float = 0.0, seed: int = 0, part=None) -> dict:
    """``count`` chunks, each of so many seconds in many small steps; returns the hash of all of them."""
    mine = range(count) if part is None else range(part[0], count, part[1])
    for chunk in mine:
        name = f"{folder}/{chunk:04d}"
        if not default_storage.exists(name):
            context.log(f"computing chunk {chunk}")
            for _ in range(20):
                time.sleep(seconds / 20)
                context.check()
            default_storage.save(name, ContentFile(chunk_bytes(seed, chunk)))
        context.progress(chunk + 1, count)
    if part is not None:
        return {"part": part[0], "chunks": len(mine)}
    digest = hashlib.sha256()
    for chunk in range(count):
        with default_storage.open(f"{folder}/{chunk:04d}") as file:
            digest.update(file.read())
    return {"sha256": digest.hexdigest()}


@job("test-bad-input", title="Bad input")
def bad_input(context, *, message: str) -> dict:
    raise InvalidInput(message)


@job("test-broken", title="Broken")
def broken(context) -> dict:
    return {"never": 1 // 0}


@job("test-stubborn", title="Computes without a word", unit="products")
def stubborn(context, *, seconds: float) -> dict:
    """Matrix products for seconds in which the work's own thread says nothing."""
    matrix, end = np.ones((600, 600)), time.monotonic() + seconds
    products = 0
    while time.monotonic() < end:
        matrix = matrix @ matrix / 600
        products += 1
    return {"products": products}
