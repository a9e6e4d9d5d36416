"""What the callers of a load test are told, read in the store by one task for all of them."""

from __future__ import annotations

import asyncio
from typing import NoReturn
from uuid import UUID

from store.calls import LastSaid, last_said
from store.database import Store

LOOK_S = 0.5
"""How often: while they are told it, mostly."""


class Told:
    """`run` it for as long as there are callers."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._wanted: dict[UUID, tuple[int, asyncio.Future[LastSaid]]] = {}
        """Who waits to be told something, after how many turns."""

    async def run(self) -> NoReturn:
        """Raises StoreError."""
        while True:
            await asyncio.sleep(LOOK_S)
            if self._wanted:
                found = await asyncio.to_thread(last_said, self._store, list(self._wanted))
                for call_id, (known, told) in self._wanted.items():
                    new = found.get(call_id)
                    if new and new.turns > known and new.said and not told.done():
                        told.set_result(new)

    async def after(self, call_id: UUID, known: int, patience_s: float) -> LastSaid:
        """What is said after so many turns. Raises TimeoutError when nothing is in time: whoever is
        not with the agent hears something else."""
        told: asyncio.Future[LastSaid] = asyncio.get_running_loop().create_future()
        self._wanted[call_id] = (known, told)
        try:
            async with asyncio.timeout(patience_s):
                return await told
        finally:
            del self._wanted[call_id]
