"""The pure core: what a job is, which changes it allows, and what each operation decides.

Nothing here does I/O, reads a clock or knows asyncio: ``now`` is a parameter and every decision is a function of
values.
"""
