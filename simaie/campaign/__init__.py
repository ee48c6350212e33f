"""Campaigns: explorations that last longer than a process, on many cores and machines.

A campaign consists of *units* (a program on a machine under a scheduler), and a unit of *shards*, each about a second
of work. A shard depends on nothing but its description, so that any worker may run it, and again. The *store*, one
file, holds the shards that are done and what they found; a coordinator hands out the others. Whatever is killed, the
next run goes on where the store is.
"""

from simaie.campaign.campaign_file import CampaignFile, Explore, Fuzz, read_campaign_file
from simaie.campaign.coordinator import Budget, run_campaign
from simaie.campaign.crew import OnExecutor, Processes
from simaie.campaign.status import status_of
from simaie.campaign.store import Store
from simaie.campaign.summary import Status

__all__ = [
    "Budget",
    "CampaignFile",
    "Explore",
    "Fuzz",
    "OnExecutor",
    "Processes",
    "Status",
    "Store",
    "read_campaign_file",
    "run_campaign",
    "status_of",
]
