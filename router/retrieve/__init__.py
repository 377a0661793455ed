"""The channels: (query, pool, permitted) -> RankedList. Each ranks what is permitted and nothing else."""
