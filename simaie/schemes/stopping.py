"""The base of the schemes that stop the world in a helper, and must resume it where an exception ends the helper."""

from __future__ import annotations

from simaie.protocols import VCpu
from simaie.schemes.scheme import Scheme

__all__ = ["StoppingScheme"]


class StoppingScheme(Scheme):
    """Base of schemes that stop the world; ``cpu.local.stopped`` says whether the vCPU has done so."""

    async def stop_world(self, cpu: VCpu) -> None:
        """Stop the world until `resume_world` or an exception."""
        await self.host.begin_exclusive()
        cpu.local.stopped = True

    async def resume_world(self, cpu: VCpu) -> None:
        """Resume the world if this vCPU has stopped it."""
        if cpu.local.stopped:
            cpu.local.stopped = False
            await self.host.end_exclusive()
